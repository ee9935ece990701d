-- Owner: mail. Mails that the mail server has yet to take, as they are to be sent.
CREATE TABLE mail_outbox (
    mail_id    TEXT   PRIMARY KEY, -- the part of the Message-ID before the @
    address    TEXT   NOT NULL,
    template   TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    body_text  TEXT   NOT NULL,
    body_html  TEXT   NOT NULL,
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL, -- of no use after that
    lease_ts   BIGINT NOT NULL, -- somebody sends it until then
    unsure     BIGINT NOT NULL  -- how often it was sent without an answer
);
-- Owner: sms. Text messages that the gateway has yet to take.
CREATE TABLE sms_outbox (
    sms_id     TEXT   PRIMARY KEY,
    number     TEXT   NOT NULL, -- E.164 without the plus sign
    body       TEXT   NOT NULL,
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL,
    lease_ts   BIGINT NOT NULL,
    unsure     BIGINT NOT NULL
);
-- Owner: sms. What was sent within a day, to be counted against the limits.
CREATE TABLE sms_sends (
    sms_id  TEXT   PRIMARY KEY,
    number  TEXT   NOT NULL,
    country TEXT   NOT NULL, -- two letters
    price   BIGINT NOT NULL, -- in millionths of the unit of sms.price
    sent_ts BIGINT NOT NULL
);
CREATE INDEX sms_sends_number ON sms_sends (number, sent_ts);
CREATE INDEX sms_sends_country ON sms_sends (country, sent_ts);
CREATE INDEX sms_sends_time ON sms_sends (sent_ts);
