package sms

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader is the header with which a webhook is signed: "t=…,v1=…", the
// time of the signature in Unix seconds, and in hex the HMAC-SHA256, under
// sms.webhook.secret, of that time, a full stop and the body.
const SignatureHeader = "Narthex-Signature"

// longestAnswer is more than a gateway has to say.
const longestAnswer = 64 << 10

// failure is why a gateway has not taken a message.
type failure struct {
	status int   // of the answer; 0 if there was none
	code   int   // Twilio's own
	unsure bool  // the message was sent, and no answer came
	cause  error // with the gateway's words, which can name people
}

// Error says what is known without naming anybody: it is for the log.
func (f *failure) Error() string {
	switch {
	case f.status != 0 && f.code != 0:
		return fmt.Sprintf("the gateway answered %d with the code %d", f.status, f.code)
	case f.status != 0:
		return fmt.Sprintf("the gateway answered %d", f.status)
	case f.unsure:
		return "the gateway did not say whether it took the message"
	}
	return "the gateway could not be reached"
}

func (f *failure) Unwrap() error { return f.cause }

// permanent reports whether the gateway will never take this message. A redirect is
// not followed, and so it is one.
func (f *failure) permanent() bool {
	switch f.status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return f.status >= 300 && f.status < 500
}

// ours reports whether the gateway refused this server, and not the message.
func (f *failure) ours() bool {
	switch f.status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	}
	return f.status >= 300 && f.status < 400
}

// hand gives a message to the gateway, and returns its answer. The error is a
// *failure.
func (s *Service) hand(ctx context.Context, p parcel) (answer string, err error) {
	var request *http.Request
	switch {
	case s.cfg.Webhook.URL != "":
		request, err = s.webhook(ctx, p)
	case s.cfg.Twilio.AccountSID != "":
		request, err = s.twilio(ctx, p)
	default:
		err = errors.New("neither sms.webhook.url nor sms.twilio.account_sid is set")
	}
	if err != nil {
		return "", &failure{cause: err}
	}
	sent := false
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { sent = info.Err == nil },
	}))
	response, err := s.http.Do(request)
	if err != nil {
		return "", &failure{unsure: sent, cause: withoutURL(err)}
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, longestAnswer)) // the status is the answer; this is for people
	answer = strings.TrimSpace(response.Status + " " + string(body))
	if response.StatusCode/100 == 2 {
		return answer, nil
	}
	f := &failure{status: response.StatusCode, cause: errors.New(answer)}
	var problem struct {
		Code int `json:"code"`
	}
	if json.Unmarshal(body, &problem) == nil && s.cfg.Twilio.AccountSID != "" {
		f.code = problem.Code
	}
	return answer, f
}

// withoutURL leaves the address out, which can hold a secret.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// webhookMessage is what the webhook is sent.
type webhookMessage struct {
	ID   string `json:"id"` // the same when the message is sent again
	To   string `json:"to"` // E.164, with the plus sign
	Text string `json:"text"`
	// CreatedTS is when the message was written, in milliseconds.
	CreatedTS int64 `json:"created_ts"`
}

func (s *Service) webhook(ctx context.Context, p parcel) (*http.Request, error) {
	body, err := json.Marshal(webhookMessage{ID: p.id, To: "+" + p.number, Text: p.body, CreatedTS: p.created.UnixMilli()})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.Webhook.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Narthex")
	request.Header.Set(SignatureHeader, sign(s.cfg.Webhook.Secret, p.tried, body))
	return request, nil
}

// sign makes the value of SignatureHeader.
func sign(secret string, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// twilio makes a request to Twilio's "create a message resource".
func (s *Service) twilio(ctx context.Context, p parcel) (*http.Request, error) {
	t := s.cfg.Twilio
	form := url.Values{"To": {"+" + p.number}, "Body": {p.body}}
	if strings.HasPrefix(t.From, "MG") {
		form.Set("MessagingServiceSid", t.From)
	} else {
		form.Set("From", t.From)
	}
	address := strings.TrimRight(t.URL, "/") + "/2010-04-01/Accounts/" + url.PathEscape(t.AccountSID) + "/Messages.json"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("User-Agent", "Narthex")
	request.SetBasicAuth(t.AccountSID, t.AuthToken)
	return request, nil
}
