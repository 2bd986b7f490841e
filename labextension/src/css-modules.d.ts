// Style sheets are bundled by `scripts/build-style.mjs` and added to the page by importing them.
declare module '*.css';
