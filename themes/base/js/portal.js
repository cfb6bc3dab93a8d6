// The portal's script: bundled by `npm run build`, loaded deferred by base.html.
import { startClock } from "./clock.js";
import { startLive } from "./live.js";
import { startSwaps } from "./swaps.js";
import { startUi } from "./ui.js";

startSwaps();
startUi();
startClock();
startLive();
