// Two people with matrix-js-sdk: register, sign in, sync, create, invite, join,
// send, receive, and be told exactly why something is refused.
//
//     node js-sdk.mjs http://127.0.0.1:8008
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

const baseUrl = process.env.HOMESERVER_URL ?? process.argv[2];
assert.ok(baseUrl, "the URL of the homeserver is missing");
const password = "correct horse battery";
const run = Date.now().toString(36);

async function register(name) {
    const client = sdk.createClient({ baseUrl });
    const answer = await client.registerRequest({ username: `${name}${run}`, password, auth: { type: "m.login.dummy" } });
    return answer.user_id;
}

async function signIn(userId) {
    const anonymous = sdk.createClient({ baseUrl });
    const flows = await anonymous.loginFlows();
    assert.ok(flows.flows.some((f) => f.type === "m.login.password"));
    const answer = await anonymous.loginRequest({
        type: "m.login.password",
        identifier: { type: "m.id.user", user: userId },
        password,
        initial_device_display_name: "js-sdk",
    });
    const client = sdk.createClient({ baseUrl, userId, accessToken: answer.access_token, deviceId: answer.device_id });
    await client.startClient({ initialSyncLimit: 20, lazyLoadMembers: true, threadSupport: true });
    await until(client, sdk.ClientEvent.Sync, (state) => state === "PREPARED");
    return client;
}

/** Waits for an emitted event that satisfies the condition. */
function until(emitter, name, condition) {
    return new Promise((resolve) => {
        const listener = (...args) => {
            if (!condition(...args)) return;
            emitter.off(name, listener);
            resolve(args);
        };
        emitter.on(name, listener);
    });
}

/** Asserts that a call is refused with the status and code, in the unstable form. */
async function refused(call, status, errcode, reason) {
    await assert.rejects(call, (e) => {
        assert.equal(e.httpStatus, status, e.message);
        assert.equal(e.errcode, errcode, e.message);
        assert.equal(e.data["org.matrix.msc3848.unstable.errcode"], reason && `ORG.MATRIX.MSC3848.${reason}`);
        assert.ok(e.data.error.length > 10, "the refusal says why");
        return true;
    });
}

test("two people talk", { timeout: 120_000 }, async (t) => {
    const aliceId = await register("alice");
    const bobId = await register("bob");
    const alice = await signIn(aliceId);
    const bob = await signIn(bobId);
    t.after(() => {
        alice.stopClient();
        bob.stopClient();
    });
    let roomId;

    await t.test("who am I, versions, capabilities, push rules", async () => {
        assert.equal((await alice.whoami()).user_id, aliceId);
        assert.ok((await alice.getVersions()).versions.length > 0);
        assert.ok((await alice.getCapabilities())["m.room_versions"]);
        assert.ok(alice.pushRules.global.override.length > 0);
    });

    await t.test("create a room, invite, join", async () => {
        const invited = until(bob, sdk.RoomEvent.MyMembership, (room, membership) => membership === "invite");
        ({ room_id: roomId } = await alice.createRoom({ name: "Hall", preset: "private_chat", invite: [bobId] }));
        const [room] = await invited;
        assert.equal(room.roomId, roomId);
        assert.equal(room.name, "Hall");
        const joined = until(bob, sdk.RoomEvent.MyMembership, (r, membership) => r.roomId === roomId && membership === "join");
        await bob.joinRoom(roomId);
        await joined;
    });

    await t.test("send and receive", async () => {
        const text = "Is anybody at the door?";
        const received = until(bob, sdk.RoomEvent.Timeline, (event) => event.getContent().body === text);
        const { event_id: eventId } = await alice.sendTextMessage(roomId, text);
        const [event] = await received;
        assert.equal(event.getId(), eventId);
        assert.equal(event.getSender(), aliceId);
    });

    await t.test("edit, react, reply in a thread, redact", async () => {
        const { event_id: root } = await bob.sendTextMessage(roomId, "First");
        await bob.sendEvent(roomId, "m.room.message", {
            "msgtype": "m.text",
            "body": "* Edited",
            "m.new_content": { msgtype: "m.text", body: "Edited" },
            "m.relates_to": { rel_type: "m.replace", event_id: root },
        });
        // Without a local echo: the client itself would not send the same reaction twice.
        const react = (txnId) =>
            alice.http.authedRequest("PUT", `/rooms/${encodeURIComponent(roomId)}/send/m.reaction/${txnId}`, undefined, {
                "m.relates_to": { rel_type: "m.annotation", event_id: root, key: "👍" },
            });
        await react("once");
        await refused(() => react("twice"), 400, "M_DUPLICATE_ANNOTATION");
        await alice.sendEvent(roomId, root, "m.room.message", { msgtype: "m.text", body: "In the thread" });
        const { event_id: gone } = await bob.sendTextMessage(roomId, "Oops");
        const redacted = until(alice, sdk.RoomEvent.Redaction, (event) => event.event.redacts === gone || event.getContent().redacts === gone);
        await bob.redactEvent(roomId, gone);
        await redacted;
        const seen = await alice.fetchRoomEvent(roomId, root);
        assert.equal(seen.unsigned["m.relations"]["m.replace"].content["m.new_content"].body, "Edited");
        assert.equal(seen.unsigned["m.relations"]["m.thread"].count, 1);
    });

    await t.test("typing, receipts, profile, account data, tags", async () => {
        const typing = until(bob, sdk.RoomMemberEvent.Typing, (_, member) => member.userId === aliceId && member.typing);
        await alice.sendTyping(roomId, true, 10_000);
        await typing;
        const { event_id: eventId } = await alice.sendTextMessage(roomId, "Read me");
        const receipt = until(alice, sdk.RoomEvent.Receipt, (event) => eventId in event.getContent());
        await bob.sendReadReceipt(bob.getRoom(roomId).findEventById(eventId) ?? (await found(bob, roomId, eventId)));
        await receipt;
        await alice.setDisplayName("Alice of the hall");
        assert.equal((await bob.getProfileInfo(aliceId)).displayname, "Alice of the hall");
        await alice.setAccountData("org.example.note", { text: "remember" });
        assert.equal((await alice.getAccountDataFromServer("org.example.note")).text, "remember");
        await alice.setRoomTag(roomId, "m.favourite", { order: 0.5 });
        assert.equal((await alice.getRoomTags(roomId)).tags["m.favourite"].order, 0.5);
    });

    await t.test("page back through history", async () => {
        for (let i = 0; i < 30; i++) await alice.sendTextMessage(roomId, `line ${i}`);
        const lines = [];
        let from = null;
        do {
            const page = await bob.createMessagesRequest(roomId, from, 7, "b");
            lines.push(...page.chunk.map((e) => e.content.body).filter((b) => b?.startsWith("line ")));
            from = page.end;
        } while (from);
        assert.deepEqual(lines, Array.from({ length: 30 }, (_, i) => `line ${29 - i}`));
    });

    await t.test("refusals say exactly why", async () => {
        const carol = await signIn(await register("carol"));
        try {
            await refused(() => carol.sendTextMessage(roomId, "hello"), 403, "M_FORBIDDEN", "NOT_JOINED");
            await refused(() => carol.invite(roomId, bobId), 403, "M_FORBIDDEN", "NOT_JOINED");
            await refused(() => alice.invite(roomId, bobId), 403, "M_FORBIDDEN", "ALREADY_JOINED");
            await refused(() => bob.kick(roomId, aliceId), 403, "M_FORBIDDEN", "INSUFFICIENT_POWER");
            await refused(() => bob.sendStateEvent(roomId, "m.room.name", { name: "Mine" }, ""), 403, "M_FORBIDDEN", "INSUFFICIENT_POWER");
            await refused(() => bob.ban(roomId, aliceId), 403, "M_FORBIDDEN", "INSUFFICIENT_POWER");
            await refused(() => alice.unban(roomId, bobId), 403, "M_BAD_STATE");
            await refused(() => carol.joinRoom(roomId), 403, "M_FORBIDDEN");
            await refused(() => carol.joinRoom("#nowhere:" + carol.getDomain()), 404, "M_NOT_FOUND");
            await refused(() => register("alice"), 400, "M_USER_IN_USE");
        } finally {
            carol.stopClient();
        }
    });

    await t.test("sign out", async () => {
        await bob.logout(true);
        const stale = sdk.createClient({ baseUrl, userId: bobId, accessToken: bob.getAccessToken() });
        await assert.rejects(() => stale.whoami(), (e) => e.errcode === "M_UNKNOWN_TOKEN" && e.httpStatus === 401);
    });
});

async function found(client, roomId, eventId) {
    const [event] = await until(client, sdk.RoomEvent.Timeline, (e) => e.getId() === eventId);
    return event;
}
