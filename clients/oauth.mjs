// An app in a browser that signs in by the OAuth 2.0 client of matrix-js-sdk. It
// offers one button at a time; the heading is what the last step came to.
import * as sdk from "matrix-js-sdk";
import { OAuth2 } from "matrix-js-sdk/lib/oauth/index.js";

const redirectUri = new URL("/callback", location.href).href;

/** Shows the outcome of a step, and a button or link for the next one. */
function show(text, label, next) {
    const heading = document.createElement("h1");
    heading.textContent = text;
    document.body.replaceChildren(heading);
    if (!label) return;
    const control = document.createElement(typeof next === "string" ? "a" : "button");
    control.textContent = label;
    if (typeof next === "string") control.href = next;
    else control.onclick = () => (document.body.replaceChildren(), run(next));
    document.body.append(control);
}

const run = (step) => step().catch((e) => show(`failed: ${e.stack ?? e}`));

async function begin() {
    const baseUrl = new URLSearchParams(location.search).get("homeserver");
    const client = sdk.createClient({ baseUrl });
    const metadata = await client.getAuthMetadata();
    const clientId = await OAuth2.registerClient(metadata, {
        client_name: "App with js-sdk",
        client_uri: "https://app.example.org/",
        logo_uri: "https://app.example.org/logo.png",
        tos_uri: "https://elsewhere.example.com/terms",
        redirect_uris: ["http://localhost/callback"],
        application_type: "native",
    });
    const auth = new OAuth2(metadata, { clientId });
    const state = crypto.randomUUID();
    sessionStorage.setItem(state, JSON.stringify({ baseUrl, context: auth.context }));
    show("ready", "Sign in", await auth.generateAuthorizationCodeGrantUrl(state, redirectUri));
}

async function finish() {
    const answer = new URLSearchParams(location.hash.slice(1));
    const { baseUrl, context } = JSON.parse(sessionStorage.getItem(answer.get("state")));
    if (answer.has("error")) return show(answer.get("error"), "Try again", `/?homeserver=${encodeURIComponent(baseUrl)}`);
    const auth = new OAuth2(await sdk.createClient({ baseUrl }).getAuthMetadata(), context);
    const tokens = await auth.completeAuthorizationCodeGrant(answer.get("code"), redirectUri);
    const client = sdk.createClient({
        baseUrl,
        accessToken: tokens.access_token,
        refreshToken: tokens.refresh_token,
        oauthClientId: context.clientId,
        deviceId: context.deviceId,
    });
    const owner = await client.whoami();
    if (owner.device_id !== context.deviceId) throw new Error(`signed in on ${owner.device_id}`);
    show(`signed in as ${owner.user_id}`, "Ask again", () => refresh(client));
}

// The access token has run out by now: the client gets another by itself.
async function refresh(client) {
    const before = client.getAccessToken();
    const owner = await client.whoami();
    show(`${owner.user_id} with ${client.getAccessToken() === before ? "the same" : "another"} token`, "Sign out", () => signOut(client));
}

async function signOut(client) {
    const gone = new Promise((resolve) => client.once(sdk.HttpApiEvent.SessionLoggedOut, (e) => resolve(e.errcode)));
    await client.logout();
    await client.whoami().catch(() => {});
    show(`signed out: ${await gone}`);
}

run(location.pathname === "/callback" ? finish : begin);
