/** The entry point of the widget module, in the form that anywidget loads. */

import { browserTimers, browserWakeups } from './clock';
import { type RenderContext, renderWidget } from './widget';

/** Render one view; returns the function that removes it. */
function render(context: RenderContext): () => void {
  const controller = renderWidget(context, {
    timers: browserTimers,
    wakeups: browserWakeups(),
    newId: () => String(Math.random()),
  });
  return controller.dispose;
}

// A named export `render` would select the deprecated form of an anywidget module.
export default { render };
