// Two people with matrix-js-sdk and its encryption: they set up cross-signing and a
// key backup, write to each other where the server cannot read, replace their keys
// with the password, and read old messages on a new device from the backup.
import assert from "node:assert/strict";
import { test } from "node:test";

// matrix-js-sdk expects Node 22; on 20 only this is missing.
Promise.withResolvers ??= function () {
    let resolve, reject;
    const promise = new this((a, b) => ((resolve = a), (reject = b)));
    return { promise, resolve, reject };
};
const sdk = await import("matrix-js-sdk");
const { CryptoEvent } = await import("matrix-js-sdk/lib/crypto-api/index.js");
const { logger } = await import("matrix-js-sdk/lib/logger.js");
logger.setLevel("error", false);
for (const level of ["debug", "info", "log", "warn"]) console[level] = () => {};

const { HOMESERVER_URL: baseUrl } = process.env;
const password = "correct horse battery";
const secrets = {}; // the key of the secret storage, by user

/** Signs in on a new device and waits until it has synced. */
async function signIn(user) {
    const login = { type: "m.login.password", identifier: { type: "m.id.user", user }, password };
    const { user_id: userId, access_token: accessToken, device_id: deviceId } = await sdk.createClient({ baseUrl }).loginRequest(login);
    const client = sdk.createClient({
        baseUrl, userId, accessToken, deviceId,
        cryptoCallbacks: {
            getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], secrets[userId]],
            cacheSecretStorageKey: (id, info, key) => (secrets[userId] = key),
        },
    });
    await client.initRustCrypto({ useIndexedDB: false });
    const synced = until(client, sdk.ClientEvent.Sync, (state) => state === "PREPARED");
    await client.startClient({ initialSyncLimit: 20, pollTimeout: 1000 });
    await synced;
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

/** Asks again with every answer to /sync until it is so. */
async function eventually(client, isSo) {
    for (;;) {
        const synced = until(client, sdk.ClientEvent.Sync, () => true);
        if (await isSo()) return;
        await synced;
    }
}

/** Passes user-interactive authentication with the password. */
function byPassword(client, asked) {
    return async (makeRequest) => {
        try {
            await makeRequest(null);
        } catch (e) {
            assert.equal(e.httpStatus, 401, e.message);
            asked.push(e.data.flows);
            const identifier = { type: "m.id.user", user: client.getUserId() };
            await makeRequest({ type: "m.login.password", session: e.data.session, identifier, password });
        }
    };
}

async function setUp(client) {
    const crypto = client.getCrypto();
    const asked = [];
    await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: byPassword(client, asked) });
    assert.deepEqual(asked, [], "the first keys need no authentication");
    await crypto.bootstrapSecretStorage({
        createSecretStorageKey: () => crypto.createRecoveryKeyFromPassphrase(),
        setupNewSecretStorage: true,
        setupNewKeyBackup: true,
    });
}

test("two people in private", { timeout: 120_000 }, async (t) => {
    const [alice, bob] = [await signIn("alice"), await signIn("bob")];
    const clients = [alice, bob];
    t.after(() => clients.forEach((client) => client.stopClient()));
    const text = "Nobody else reads this.";
    let roomId, eventId;

    await t.test("set up cross-signing and a backup", async () => {
        for (const client of clients) {
            await setUp(client);
            assert.ok(await client.getCrypto().isCrossSigningReady());
            const status = await client.getCrypto().getDeviceVerificationStatus(client.getUserId(), client.getDeviceId());
            assert.ok(status.signedByOwner, "the device carries the signature of its owner");
            assert.ok((await client.getCrypto().checkKeyBackupAndEnable())?.trustInfo.trusted);
        }
    });

    await t.test("write and read", async () => {
        const invited = until(bob, sdk.RoomEvent.MyMembership, (room, membership) => membership === "invite");
        const encryption = { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } };
        ({ room_id: roomId } = await alice.createRoom({ preset: "private_chat", invite: [bob.getUserId()], initial_state: [encryption] }));
        await invited;
        const joined = until(alice, sdk.RoomStateEvent.Members, (ev, state, member) => member.userId === bob.getUserId() && member.membership === "join");
        await bob.joinRoom(roomId);
        await joined;
        const read = until(bob, sdk.MatrixEventEvent.Decrypted, (event) => event.getContent().body === text);
        ({ event_id: eventId } = await alice.sendTextMessage(roomId, text));
        const [event] = await read;
        assert.equal(event.getId(), eventId);
        assert.equal(event.getWireType(), "m.room.encrypted");
    });

    await t.test("sign each other", async () => {
        const seen = until(alice, CryptoEvent.UserTrustStatusChanged, (userId) => userId === bob.getUserId());
        await alice.getCrypto().userHasCrossSigningKeys(bob.getUserId(), true);
        const bobs = await alice.getCrypto().getUserVerificationStatus(bob.getUserId());
        assert.equal(bobs.isCrossSigningVerified(), false);
        const { UserId } = await import("@matrix-org/matrix-sdk-crypto-wasm");
        const identity = await alice.getCrypto().olmMachine.getIdentity(new UserId(bob.getUserId()));
        await alice.getCrypto().outgoingRequestProcessor.makeOutgoingRequest(await identity.verify());
        await seen;
        assert.ok((await alice.getCrypto().getUserVerificationStatus(bob.getUserId())).isCrossSigningVerified());
    });

    await t.test("read the past on a new device, from the backup", async () => {
        // The server is asked, since getKeyBackupInfo answers from memory.
        await eventually(bob, async () => (await bob.http.authedRequest("GET", "/room_keys/version")).count > 0);
        const phone = await signIn("bob");
        clients.push(phone);
        // The import of the keys wants the public ones to be there.
        await phone.getCrypto().userHasCrossSigningKeys(phone.getUserId(), true);
        await phone.getCrypto().bootstrapCrossSigning({});
        await phone.getCrypto().loadSessionBackupPrivateKeyFromSecretStorage();
        const { imported, total } = await phone.getCrypto().restoreKeyBackup();
        assert.ok(total > 0 && imported === total, `${imported} of ${total} keys were restored`);
        const event = await phone.fetchRoomEvent(roomId, eventId);
        const encrypted = new sdk.MatrixEvent(event);
        await encrypted.attemptDecryption(phone.getCrypto());
        assert.equal(encrypted.getContent().body, text);
        // The new device has signed itself with the keys from the secret storage, and
        // sees that when it has asked for its keys again.
        await eventually(phone, async () => (await phone.getCrypto().getDeviceVerificationStatus(phone.getUserId(), phone.getDeviceId())).signedByOwner);
    });

    await t.test("replace the keys", async () => {
        const asked = [];
        const before = await alice.getCrypto().getCrossSigningKeyId();
        await alice.getCrypto().bootstrapCrossSigning({ setupNewCrossSigning: true, authUploadDeviceSigningKeys: byPassword(alice, asked) });
        assert.deepEqual(asked, [[{ stages: ["m.login.password"] }]]);
        assert.notEqual(await alice.getCrypto().getCrossSigningKeyId(), before);
        await alice.getCrypto().resetKeyBackup();
        assert.equal((await alice.getCrypto().getKeyBackupInfo()).version, "2");
    });
});
