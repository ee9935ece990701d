// Devices that run matrix-js-sdk in a browser: the tests call carryOut.
import { carryOut } from "./qr-orders.mjs";

globalThis.carryOut = (line) => carryOut(line);
