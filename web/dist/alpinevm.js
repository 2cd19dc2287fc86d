import{AlpineVM,AlpineVMError}from"./chunk-KECM7RYP.js";export{AlpineVM,AlpineVMError};
