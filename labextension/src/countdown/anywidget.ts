/** The countdown as an anywidget: one model in the kernel, any number of views in pages. */

import { browserTimers, browserWakeups } from './clock';
import { CountdownController, type RenderContext } from './controller';

/** What anywidget calls for each view; answers the clean-up. */
function render(context: RenderContext): () => void {
  const widget = new CountdownController(context, {
    timers: browserTimers,
    wakeups: browserWakeups(),
    newId: () => String(Math.random()),
  });
  return widget.dispose;
}

// Only as a part of the default: anywidget takes a named `render` for its deprecated form.
export default { render };
