/**
 * The JupyterLab and Notebook extension of modelarts-magics.
 *
 * The sources in the root of `src/` are the plugins, which connect everything (plugins.ts), the
 * interfaces that all folders share (tokens.ts), and the status item.
 */

import { PageConfig } from '@jupyterlab/coreutils';
import { plugins } from './plugins';

export * from './tokens';
/** The plugins; none in Voilà, whose pages have no panel and no server extension. */
export default PageConfig.getOption('appUrl') === 'voila/' ? [] : plugins;
