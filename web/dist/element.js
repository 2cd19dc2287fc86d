import{AlpineVMElement}from"./chunk-NAEWXVHC.js";import"./chunk-KECM7RYP.js";export{AlpineVMElement};
