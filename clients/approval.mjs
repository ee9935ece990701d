// Someone with matrix-js-sdk at the door of a server whose administrator approves
// accounts: told to wait at registration and at login, and let in afterwards.
import assert from "node:assert/strict";
import { test } from "node:test";

const sdk = await import("matrix-js-sdk");
const { logger } = await import("matrix-js-sdk/lib/logger.js");
logger.setLevel("error", false);

const { HOMESERVER_URL: baseUrl, ADMIN_TOKEN: adminToken } = process.env;
const password = "correct horse battery";

async function toldToWait(call) {
    await assert.rejects(call, (e) => {
        assert.equal(e.httpStatus, 403, e.message);
        assert.equal(e.errcode, "ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL");
        assert.equal(e.data.approval_notice_medium, "org.matrix.msc3866.none");
        return true;
    });
}

test("an account that waits for approval", { timeout: 60_000 }, async () => {
    const client = sdk.createClient({ baseUrl });
    const signIn = () => client.loginRequest({ type: "m.login.password", identifier: { type: "m.id.user", user: "newcomer" }, password });
    await toldToWait(() => client.registerRequest({ username: "newcomer", password, auth: { type: "m.login.dummy" } }));
    await toldToWait(signIn);
    await assert.rejects(
        () => client.loginRequest({ type: "m.login.password", identifier: { type: "m.id.user", user: "newcomer" }, password: "wrong" }),
        (e) => e.errcode === "M_FORBIDDEN",
    );

    const registrations = `${baseUrl}/_narthex/admin/v1/registrations`;
    const headers = { Authorization: `Bearer ${adminToken}` };
    const waiting = await (await fetch(`${registrations}?state=pending`, { headers })).json();
    assert.equal(waiting.total, 1);
    const [{ user_id: userId }] = waiting.registrations;
    const answer = await fetch(`${registrations}/${encodeURIComponent(userId)}/approve`, { method: "POST", headers, body: "{}" });
    assert.deepEqual(await answer.json(), { user_id: userId, state: "approved" });

    assert.equal((await signIn()).user_id, userId);
});
