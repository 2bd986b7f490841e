/** The JupyterLab and Notebook extension of modelarts-magics. */

import { plugins } from './plugins';

export * from './tokens';
export default plugins;
