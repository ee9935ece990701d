// Devices that run matrix-js-sdk on Node: each line of standard input is an order,
// each line of standard output the outcome of one. Orders run at once, and beside
// each other.
import jsQR from "jsqr";
import { createInterface } from "node:readline";
import { PNG } from "pngjs";

// Standard output is for the outcomes.
for (const level of ["debug", "info", "log", "warn", "trace"]) console[level] = console.error;

// matrix-js-sdk expects Node 22; on 20 only this is missing.
Promise.withResolvers ??= function () {
    let resolve, reject;
    const promise = new this((a, b) => ((resolve = a), (reject = b)));
    return { promise, resolve, reject };
};
const { carryOut } = await import("./qr-orders.mjs");

const pictures = {
    // The bytes of a QR code in a picture, read by another library than ours.
    picture({ png }) {
        const { data, width, height } = PNG.sync.read(Buffer.from(png, "base64"));
        const found = jsQR(new Uint8ClampedArray(data), width, height);
        return { code: Buffer.from(found.binaryData).toString("base64") };
    },
};

for await (const line of createInterface({ input: process.stdin })) {
    carryOut(line, pictures).then((outcome) => process.stdout.write(outcome + "\n"));
}
process.exit(0);
