/** The icon of the panel. */

import { LabIcon } from '@jupyterlab/ui-components';

/** A clock whose time is running out. */
export const panelIcon = new LabIcon({
  name: 'modelarts-magics:clock',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <path d="M12 2a10 10 0 1 0 10 10h-2a8 8 0 1 1-8-8z"/>
    <path d="M11 6h2v5.4l3.8 2.2-1 1.8L11 12.6z"/>
  </g>
</svg>`,
});
