// Devices that run matrix-js-sdk, told by the tests what to do.
import * as wasm from "@matrix-org/matrix-sdk-crypto-wasm";
import * as sdk from "matrix-js-sdk";
import { decodeBase64, encodeBase64, encodeUnpaddedBase64 } from "matrix-js-sdk/lib/base64.js";
import { logger } from "matrix-js-sdk/lib/logger.js";
import * as rendezvous from "matrix-js-sdk/lib/rendezvous/index.js";

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

logger.setLevel("error", false);
await wasm.initAsync();

const clients = {}; // by name: devices that are signed in
const flows = {}; // by name: sign-ins
const channels = {}; // by name: ends of a secure channel

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
        return { code: encodeBase64(flow.code) };
    },

    // A device has scanned a code.
    async scan({ name, client, code }) {
        const failed = keep(null, name);
        const data = wasm.QrCodeData.fromBytes(decodeBase64(code));
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
    // What an app makes of the homeserver that it is told.
    async discover({ serverName }) {
        const found = await sdk.AutoDiscovery.findClientConfig(serverName);
        return { state: found["m.homeserver"].state, baseUrl: found["m.homeserver"].base_url };
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
            backupKey: encodeUnpaddedBase64(await crypto.getSessionBackupPrivateKey()),
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

    // The cryptography alone.
    decode({ code }) {
        const data = wasm.QrCodeData.fromBytes(decodeBase64(code));
        const { msc4108, msc4388 } = data.intentData;
        return {
            key: data.publicKey.toBase64(),
            intent: wasm.QrCodeIntent[data.mode],
            url: msc4108?.rendezvousUrl ?? msc4388.baseUrl,
            serverName: msc4108?.serverName,
            id: msc4388?.rendezvousId,
            again: encodeBase64(data.toBytes()),
        };
    },
    encode({ key, url, serverName }) {
        return { code: encodeBase64(new wasm.QrCodeData(new wasm.Curve25519PublicKey(key), url, serverName).toBytes()) };
    },
    encode4388({ key, url, rendezvousId, intent }) {
        const data = wasm.QrCodeData.newMsc4388(new wasm.Curve25519PublicKey(key), rendezvousId, url, wasm.QrCodeIntent[intent]);
        return { code: encodeBase64(data.toBytes()) };
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

/**
 * Carries out one order, {"id", "do", …} as text; more is added to what it may be.
 * It gives the outcome, {"id", "result"} or {"id", "error"}, and fails never.
 */
export async function carryOut(line, more = {}) {
    const { id, do: what, ...order } = JSON.parse(line);
    try {
        const result = (await { ...orders, ...more }[what](order)) ?? null;
        return JSON.stringify({ id, result });
    } catch (e) {
        return JSON.stringify({ id, error: { reason: e?.code, text: `${what}: ${e?.stack ?? e}` } });
    }
}
