// Devices that run matrix-js-sdk, told by the tests what to do. Each line of
// standard input is one order, {"id", "do", …}; each line of standard output is the
// outcome of one, {"id", "result"} or {"id", "error"}. Orders run at once, and
// beside each other.
import { createInterface } from "node:readline";
import jsQR from "jsqr";
import { PNG } from "pngjs";

// Standard output is for the outcomes.
for (const level of ["debug", "info", "log", "warn", "trace"]) console[level] = console.error;

// matrix-js-sdk expects Node 22; on 20 only this is missing.
Promise.withResolvers ??= function () {
    let resolve, reject;
    const promise = new this((a, b) => ((resolve = a), (reject = b)));
    return { promise, resolve, reject };
};
// The SDK waits this long between two questions; nobody is to wait for that here.
const { setTimeout: patient } = globalThis;
globalThis.setTimeout = (f, ms, ...rest) => {
    if (ms !== 1000 && ms !== 5000) return patient(f, ms, ...rest);
    if (leaping > 0) ahead += ms - 100;
    return patient(f, 100, ...rest);
};
// While an order leaps, the clock shows the time that was not waited for.
let leaping = 0;
let ahead = 0;
const { now } = Date;
Date.now = () => now() + ahead;

const sdk = await import("matrix-js-sdk");
const rendezvous = await import("matrix-js-sdk/lib/rendezvous/index.js");
const wasm = await import("@matrix-org/matrix-sdk-crypto-wasm");
const { logger } = await import("matrix-js-sdk/lib/logger.js");
logger.setLevel("error", false);
await wasm.initAsync();

const clients = {}; // by name: devices that are signed in
const flows = {}; // by name: sign-ins
const channels = {}; // by name: ends of a secure channel
const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));

function keep(flow, name) {
    flows[name] = { flow, failures: [] };
    return (reason) => flows[name].failures.push(reason);
}

async function start(name, options) {
    const client = sdk.createClient(options);
    await client.initRustCrypto({ useIndexedDB: false });
    return (clients[name] = client);
}

/** Runs until the condition holds; it is asked again whenever keys or devices change. */
async function until(client, condition) {
    for (;;) {
        const changed = new Promise((resolve) => {
            for (const event of [sdk.ClientEvent.Sync, "crypto.devicesUpdated", "userTrustStatusChanged"]) client.once(event, resolve);
        });
        const outcome = await condition();
        if (outcome) return outcome;
        await changed;
    }
}

const orders = {
    // A device of an account that has no keys yet: it makes them, and a backup.
    async existing({ name, baseUrl, userId, deviceId, accessToken }) {
        const client = await start(name, { baseUrl, userId, deviceId, accessToken });
        const crypto = client.getCrypto();
        await crypto.bootstrapCrossSigning({ setupNewCrossSigning: true, authUploadDeviceSigningKeys: (upload) => upload(null) });
        await client.startClient({ initialSyncLimit: 1 });
        await crypto.resetKeyBackup();
        const bundle = await crypto.exportSecretsBundle();
        return {
            available: await rendezvous.isSignInWithQRAvailable(client),
            master: await crypto.getCrossSigningKeyId(),
            backupKey: bundle.backup.key,
            backupVersion: bundle.backup.backup_version,
        };
    },

    // A device shows its code: one that is signed in if client is given.
    async show({ name, client, baseUrl }) {
        const failed = keep(null, name);
        const generate = client ? rendezvous.linkNewDeviceByGeneratingQR : rendezvous.signInByGeneratingQR;
        const flow = await generate(clients[client] ?? sdk.createClient({ baseUrl }), failed, new AbortController().signal);
        flows[name].flow = flow;
        return { code: base64(flow.code) };
    },

    // A device has scanned a code.
    async scan({ name, client, code }) {
        const failed = keep(null, name);
        const data = wasm.QrCodeData.fromBytes(bytes(code));
        const { rendezvousUrl: url, serverName } = data.intentData.msc4108;
        const session = new rendezvous.MSC4108RendezvousSession({ onFailure: failed, url });
        const channel = new rendezvous.MSC4108SecureChannel(session, data.publicKey, failed);
        flows[name].flow = new rendezvous.MSC4108SignInWithQR(channel, true, clients[client], failed);
        return { url, serverName };
    },

    // The steps of a sign-in, in their order.
    async negotiate({ name }) {
        const { flow } = flows[name];
        const { serverName } = await flow.negotiateProtocols();
        return { serverName, checkCode: flow.checkCode };
    },
    async grant({ name, baseUrl, deviceId }) {
        const { flow } = flows[name];
        if (flow.isExistingDevice) return await flow.deviceAuthorizationGrant();
        const metadata = await sdk.createClient({ baseUrl }).getAuthMetadata();
        const clientId = await sdk.OAuth2.registerClient(metadata, {
            client_name: "js-sdk",
            client_uri: "https://client.example.org/",
            redirect_uris: ["http://localhost/callback"],
            application_type: "native",
        });
        Object.assign(flows[name], { clientId, deviceId, baseUrl });
        return await flow.deviceAuthorizationGrant({ metadata, clientId, deviceId });
    },
    async complete({ name, expiresIn }) {
        const { flow, clientId } = flows[name];
        if (expiresIn !== undefined) flow.grantInProgress.expires_in = expiresIn; // as if time had passed
        flows[name].tokens = await flow.completeLoginOnNewDevice({ clientId });
        return flows[name].tokens;
    },
    async share({ name, leap }) {
        if (leap) leaping++;
        try {
            const { secrets } = await flows[name].flow.shareSecrets();
            flows[name].secrets = secrets;
            return secrets;
        } finally {
            if (leap) leaping--;
        }
    },
    // The new device makes use of what it was given.
    async become({ name }) {
        const { tokens, baseUrl, deviceId, clientId, secrets } = flows[name];
        const { user_id: userId, device_id } = await sdk.createClient({ baseUrl, accessToken: tokens.access_token }).whoami();
        if (device_id !== deviceId) throw new Error(`the device is ${device_id}`);
        const client = await start(name, { baseUrl, userId, deviceId, accessToken: tokens.access_token, oauthClientId: clientId });
        const crypto = client.getCrypto();
        await crypto.importSecretsBundle(secrets);
        await client.startClient({ initialSyncLimit: 1 });
        await until(client, async () => (await crypto.getDeviceVerificationStatus(userId, deviceId))?.crossSigningVerified);
        await until(client, () => crypto.isCrossSigningReady());
        await crypto.checkKeyBackupAndEnable();
        return {
            userId,
            master: await crypto.getCrossSigningKeyId(),
            backupKey: base64(await crypto.getSessionBackupPrivateKey()).replace(/=+$/, ""),
            backupVersion: await crypto.getActiveSessionBackupVersion(),
        };
    },

    // Waits until a device sees another one of its user as verified.
    async trusts({ client, deviceId }) {
        const c = clients[client];
        await until(c, async () => (await c.getCrypto().getDeviceVerificationStatus(c.getUserId(), deviceId))?.crossSigningVerified);
        return {};
    },

    // How a person stops: on the existing device, before the browser opens; or by
    // closing the dialogue, which also happens by reason of a failure.
    async decline({ name }) {
        await flows[name].flow.declineLoginOnExistingDevice();
        return {};
    },
    async cancel({ name, reason }) {
        await flows[name].flow.cancel(reason);
        return {};
    },
    failures: ({ name }) => flows[name].failures,

    // Messages that the SDK itself would not send, or not read, at this point.
    async say({ name, message }) {
        await flows[name].flow.channel.secureSend(message);
        return {};
    },
    hear: ({ name }) => flows[name].flow.channel.secureReceive(),

    // The bytes of a QR code in a picture, read by another library than ours.
    picture({ png }) {
        const { data, width, height } = PNG.sync.read(Buffer.from(png, "base64"));
        const found = jsQR(new Uint8ClampedArray(data), width, height);
        return { code: base64(found.binaryData), version: found.version };
    },

    // The cryptography alone.
    decode({ code }) {
        const data = wasm.QrCodeData.fromBytes(bytes(code));
        const { msc4108, msc4388 } = data.intentData;
        return {
            key: data.publicKey.toBase64(),
            intent: wasm.QrCodeIntent[data.mode],
            url: msc4108?.rendezvousUrl ?? msc4388.baseUrl,
            serverName: msc4108?.serverName,
            id: msc4388?.rendezvousId,
            again: base64(data.toBytes()),
        };
    },
    encode({ key, url, serverName }) {
        return { code: base64(new wasm.QrCodeData(new wasm.Curve25519PublicKey(key), url, serverName).toBytes()) };
    },
    encode4388({ key, url, rendezvousId, intent }) {
        const data = wasm.QrCodeData.newMsc4388(new wasm.Curve25519PublicKey(key), rendezvousId, url, wasm.QrCodeIntent[intent]);
        return { code: base64(data.toBytes()) };
    },
    generator({ name }) {
        channels[name] = new wasm.Ecies();
        return { key: channels[name].public_key().toBase64() };
    },
    inbound({ name, message }) {
        const { channel, message: plaintext } = channels[name].establish_inbound_channel(message);
        channels[name] = channel;
        return { plaintext, checkCode: digits(channel) };
    },
    outbound({ name, key, plaintext }) {
        const ecies = new wasm.Ecies();
        const { channel, initial_message: message } = ecies.establish_outbound_channel(new wasm.Curve25519PublicKey(key), plaintext);
        channels[name] = channel;
        return { message, checkCode: digits(channel) };
    },
    seal: ({ name, plaintext }) => ({ message: channels[name].encrypt(plaintext) }),
    open: ({ name, message }) => ({ plaintext: channels[name].decrypt(message) }),
};

function digits(channel) {
    return Array.from(channel.check_code().as_bytes(), (b) => `${b % 10}`).join("");
}

for await (const line of createInterface({ input: process.stdin })) {
    const { id, do: what, ...order } = JSON.parse(line);
    const answer = (outcome) => process.stdout.write(JSON.stringify({ id, ...outcome }) + "\n");
    Promise.resolve()
        .then(() => orders[what](order))
        .then(
            (result) => answer({ result: result ?? null }),
            (e) => answer({ error: { reason: e.code, text: `${what}: ${e?.stack ?? e}` } }),
        );
}
process.exit(0);
