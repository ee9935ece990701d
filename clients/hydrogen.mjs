// One person with Hydrogen in a browser: signs in, sees a room that somebody else
// has made, reads a message in it and writes one. The page's URL says where and
// who; the page's title becomes "done", or the failure.
import { Client, createNavigation, createRouter, LoadStatus, Platform, RoomViewModel, FeatureSet, TimelineView, viewClassForTile } from "hydrogen-view-sdk";

const query = new URLSearchParams(location.search);
const assetPaths = {
    downloadSandbox: "none.html",
    worker: "none.js",
    serviceWorker: "/sw.js",
    olm: { wasm: "/olm.wasm", legacyBundle: "/olm_legacy.js", wasmBundle: "/olm.js" },
};

async function main() {
    const container = document.querySelector("#app");
    const platform = new Platform({ container, assetPaths, config: {}, options: { development: true } });
    const navigation = createNavigation();
    platform.setNavigation(navigation);
    await platform.init();
    const urlRouter = createRouter({ navigation, history: platform.history });
    urlRouter.attach();

    const client = new Client(platform);
    const login = await client.queryLogin(query.get("homeserver")).result;
    client.startWithLogin(login.password(query.get("user"), query.get("password")));
    await client.loadStatus.waitFor((status) => [LoadStatus.Ready, LoadStatus.Error, LoadStatus.LoginFailed].includes(status)).promise;
    if (client.loginFailure) throw new Error("login failed: " + client.loginFailure);
    if (client.loadError) throw client.loadError;

    const room = client.session.rooms.get(query.get("room"));
    if (!room) throw new Error("the room is not there");
    const vm = new RoomViewModel({
        room,
        ownUserId: client.session.userId,
        platform,
        urlRouter,
        navigation,
        features: await FeatureSet.load(platform.settingsStorage),
    });
    await vm.load();
    container.appendChild(new TimelineView(vm.timelineViewModel, viewClassForTile).mount());
    await vm.composerViewModel.sendMessage("Hello from Hydrogen");
}

addEventListener("unhandledrejection", (e) => (document.title = "failed: " + e.reason));
main().then(
    () => (document.title = "done"),
    (e) => (document.title = "failed: " + (e.stack ?? e)),
);
