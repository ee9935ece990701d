// Somebody with matrix-js-sdk and their mail address and phone number: registering,
// adding, resetting the password, and being found through an identity server. Each
// refusal reaches the app as a MatrixError with its own code.
import assert from "node:assert/strict";
import { test } from "node:test";

// matrix-js-sdk expects Node 22; on 20 only this is missing.
Promise.withResolvers ??= function () {
    let resolve, reject;
    const promise = new this((a, b) => ((resolve = a), (reject = b)));
    return { promise, resolve, reject };
};
const sdk = await import("matrix-js-sdk");
const { logger } = await import("matrix-js-sdk/lib/logger.js");
logger.setLevel("error", false);

const { HOMESERVER_URL: baseUrl, POST_URL: post } = process.env;
const email = "alice@example.org";
const [country, typed, msisdn] = ["GB", "07400 123456", "447400123456"];
const password = "correct horse battery";
const app = (more) => sdk.createClient({ baseUrl, idBaseUrl: baseUrl, ...more });

/** What has come to an address: the link and the token of a mail, the code of a text message. */
const received = async (to) => (await fetch(`${post}/received?to=${encodeURIComponent(to)}`)).json();
const passes = (seconds) => fetch(`${post}/passes?seconds=${seconds}`);

/** Asserts that a call is refused with the status and code, and gives the error. */
async function refused(call, status, errcode) {
    let error;
    await assert.rejects(call, (e) => {
        error = e;
        assert.ok(e instanceof sdk.MatrixError, `${e}`);
        assert.deepEqual([e.httpStatus, e.errcode], [status, errcode], e.message);
        return true;
    });
    return error;
}

/** Asserts that a call needs further authentication, and gives what the server asks for. */
async function challenged(call, errcode) {
    const error = await refused(call, 401, errcode);
    assert.ok(error.data.flows.length && error.data.session, JSON.stringify(error.data));
    return error.data;
}

const stage = (type, session, sid, client_secret) => ({ type, session, threepid_creds: { sid, client_secret } });
const byPassword = (userId, session) => ({ type: "m.login.password", identifier: { type: "m.id.user", user: userId }, password, session });

let alice, userId;

test("registering with a mail address", { timeout: 60_000 }, async () => {
    const secret = "registering";
    const anonymous = app();
    const wish = { username: "alice", password };
    const { session, flows } = await challenged(() => anonymous.registerRequest(wish));
    assert.deepEqual(flows, [{ stages: ["m.login.email.identity"] }]);

    const { sid, submit_url } = await anonymous.requestRegisterEmailToken(email, secret, 1);
    const auth = stage("m.login.email.identity", session, sid, secret);
    await challenged(() => anonymous.registerRequest({ ...wish, auth }), "M_THREEPID_AUTH_FAILED");
    await refused(() => anonymous.submitMsisdnTokenOtherUrl(submit_url, sid, secret, "not the code"), 400, "M_TOKEN_INCORRECT");
    await refused(() => anonymous.submitMsisdnTokenOtherUrl(submit_url, sid, "another secret", "x"), 400, "M_INVALID_PARAM");
    await refused(() => anonymous.submitMsisdnTokenOtherUrl(submit_url, sid, "another-secret", "x"), 400, "M_INVALID_PARAM");
    const page = await fetch((await received(email)).link);
    assert.equal(page.status, 200);
    const answer = await anonymous.registerRequest({ ...wish, auth });
    userId = answer.user_id;
    alice = app({ userId, accessToken: answer.access_token, deviceId: answer.device_id });

    await refused(() => app().requestRegisterEmailToken(email, "other", 1), 400, "M_THREEPID_IN_USE");
    await refused(() => app().requestRegisterEmailToken("no address", "other", 1), 400, "M_INVALID_PARAM");
});

test("adding a phone number", { timeout: 60_000 }, async () => {
    const secret = "adding";
    const late = await alice.requestAdd3pidMsisdnToken(country, typed, secret, 1);
    const { code } = await received(`+${msisdn}`);
    await passes(16 * 60);
    await refused(() => alice.submitMsisdnTokenOtherUrl(late.submit_url, late.sid, secret, code), 400, "M_SESSION_EXPIRED");

    const { sid, submit_url } = await alice.requestAdd3pidMsisdnToken(country, typed, secret, 2);
    assert.notEqual(sid, late.sid);
    const right = (await received(`+${msisdn}`)).code;
    const wrong = right.slice(0, 5) + (right.endsWith("1") ? "2" : "1");
    await refused(() => alice.submitMsisdnTokenOtherUrl(submit_url, sid, secret, wrong), 400, "M_TOKEN_INCORRECT");
    const creds = { sid, client_secret: secret };
    await refused(() => alice.addThreePidOnly(creds), 400, "M_THREEPID_AUTH_FAILED");
    assert.deepEqual(await alice.submitMsisdnTokenOtherUrl(submit_url, sid, secret, right), { success: true });
    const { session } = await challenged(() => alice.addThreePidOnly(creds));
    await alice.addThreePidOnly({ ...creds, auth: byPassword(userId, session) });

    const { threepids } = await alice.getThreePids();
    assert.deepEqual(threepids.map((t) => [t.medium, t.address]).sort(), [["email", email], ["msisdn", msisdn]]);
    const identifier = { type: "m.id.phone", country, phone: typed };
    assert.equal((await app().loginRequest({ type: "m.login.password", identifier, password })).user_id, userId);
});

test("too many guesses", { timeout: 60_000 }, async () => {
    const { sid, submit_url } = await alice.requestAdd3pidMsisdnToken(country, "07400 654321", "guessing", 1);
    const { code } = await received("+447400654321");
    const wrong = code.slice(0, 5) + (code.endsWith("1") ? "2" : "1");
    for (let i = 0; i < 5; i++) await refused(() => alice.submitMsisdnTokenOtherUrl(submit_url, sid, "guessing", wrong), 400, "M_TOKEN_INCORRECT");
    await refused(() => alice.submitMsisdnTokenOtherUrl(submit_url, sid, "guessing", code), 400, "M_SESSION_EXPIRED");
});

test("being found through an identity server", { timeout: 60_000 }, async () => {
    const { token } = await alice.registerWithIdentityServer(await alice.getOpenIdToken());
    assert.equal((await alice.getIdentityAccount(token)).user_id, userId);
    const addresses = [[email, "email"], [msisdn, "msisdn"], ["bob@example.org", "email"]];
    const found = async () => (await alice.identityHashedLookup(addresses, token)).sort((a, b) => a.address.localeCompare(b.address));
    assert.deepEqual(await found(), []);
    const id_server = alice.getIdentityServerUrl(true);
    const bind = (sid, client_secret) => alice.bindThreePid({ sid, client_secret, id_server, id_access_token: token });

    const mail = await alice.requestEmailToken(email, "bindingmail", 1, undefined, token);
    await refused(() => bind(mail.sid, "bindingmail"), 400, "M_SESSION_NOT_VALIDATED");
    assert.equal((await fetch((await received(email)).link)).status, 200);
    await bind(mail.sid, "bindingmail");

    const text = await alice.requestMsisdnToken(country, typed, "bindingphone", 1, undefined, token);
    const { code } = await received(`+${msisdn}`);
    const wrong = code.slice(0, 5) + (code.endsWith("1") ? "2" : "1");
    await refused(() => alice.submitMsisdnToken(text.sid, "bindingphone", wrong, token), 400, "M_TOKEN_INCORRECT");
    assert.deepEqual(await alice.submitMsisdnToken(text.sid, "bindingphone", code, token), { success: true });
    await bind(text.sid, "bindingphone");
    await refused(() => bind("unknown", "bindingphone"), 404, "M_NO_VALID_SESSION");

    assert.deepEqual(await found(), [{ address: msisdn, mxid: userId }, { address: email, mxid: userId }]);
    assert.equal((await alice.lookupThreePid("email", "Alice@Example.org", token)).mxid, userId);
    assert.deepEqual(await alice.unbindThreePid("email", email), { id_server_unbind_result: "success" });
    assert.deepEqual(await found(), [{ address: msisdn, mxid: userId }]);
    assert.deepEqual(await alice.deleteThreePid("msisdn", msisdn), { id_server_unbind_result: "success" });
    assert.deepEqual(await found(), []);
    assert.deepEqual((await alice.getThreePids()).threepids.map((t) => t.address), [email]);
});

test("resetting the password", { timeout: 60_000 }, async () => {
    const secret = "resetting";
    const anonymous = app();
    await refused(() => anonymous.requestPasswordEmailToken("bob@example.org", secret, 1), 400, "M_THREEPID_NOT_FOUND");
    const { sid, submit_url } = await anonymous.requestPasswordEmailToken("Alice@Example.org", secret, 1);
    const auth = { ...stage("m.login.email.identity", undefined, sid, secret), threepidCreds: { sid, client_secret: secret } };
    const fresh = "another horse battery";
    await challenged(() => anonymous.setPassword(auth, fresh), "M_THREEPID_AUTH_FAILED");
    const { link, token } = await received(email);
    assert.equal((await fetch(link)).status, 200); // a mail scanner
    await challenged(() => anonymous.setPassword(auth, fresh), "M_THREEPID_AUTH_FAILED");
    await anonymous.submitMsisdnTokenOtherUrl(submit_url, sid, secret, token);
    await anonymous.setPassword(auth, fresh);
    await challenged(() => anonymous.setPassword(auth, fresh), "M_THREEPID_AUTH_FAILED");
    await refused(() => alice.whoami(), 401, "M_UNKNOWN_TOKEN");
    const identifier = { type: "m.id.thirdparty", medium: "email", address: email };
    await refused(() => anonymous.loginRequest({ type: "m.login.password", identifier, password }), 403, "M_FORBIDDEN");
    assert.equal((await anonymous.loginRequest({ type: "m.login.password", identifier, password: fresh })).user_id, userId);
});
