// What every page loads.
import { setUpKeys } from "./keys.js";
import { setUpPalette } from "./palette.js";
import { setUpInterface } from "./ui.js";

setUpInterface();
setUpPalette();
setUpKeys();
