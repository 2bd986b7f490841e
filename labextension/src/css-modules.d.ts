// Bundled by `scripts/build-style.mjs`; loading one puts it into the page.
declare module '*.css';
