/**
 * The JupyterLab and Notebook extension of modelarts-magics.
 *
 * The sources in the root of `src/` are the plugins, which connect everything (plugins.ts), the
 * interfaces that all folders share (tokens.ts), and the status item.
 */

import { plugins } from './plugins';

export * from './tokens';
export default plugins;
