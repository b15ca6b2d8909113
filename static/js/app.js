// What every page loads.
import { setUpPalette } from "./palette.js";
import { setUpInterface } from "./ui.js";

setUpInterface();
setUpPalette();
