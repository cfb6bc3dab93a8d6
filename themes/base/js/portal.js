// The portal's script: bundled by `npm run build`, loaded deferred by base.html.
import { startClock } from "./clock.js";
import { startFlowEditor } from "./flow-editor.js";
import { startFormEditor } from "./form-editor.js";
import { startLive } from "./live.js";
import { startPasskeys } from "./passkeys.js";
import { startSheets } from "./sheet.js";
import { startSwaps } from "./swaps.js";
import { startUi } from "./ui.js";

startPasskeys(); // before the others: it holds a form back until the device has signed
startSwaps();
startSheets();
startFormEditor();
startUi();
startClock();
startLive();
startFlowEditor();
