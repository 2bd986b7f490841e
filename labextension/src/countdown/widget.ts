/** The countdown as a widget in a notebook, connected to a kernel. */

import { CountdownController, type Dependencies } from './controller';
import { KernelLink } from './kernel-link';
import type { WidgetModel } from './messages';

/** The arguments with which anywidget calls `render`. */
export interface RenderContext {
  /** The widget's model, shared by all of its views. */
  readonly model: WidgetModel;
  /** The element of this view. */
  readonly el: HTMLElement;
}

/** Render one view of the widget into its element. */
export function renderWidget(
  { model, el }: RenderContext,
  dependencies: Dependencies,
): CountdownController {
  const { timers, newId } = dependencies;
  return new CountdownController(
    el,
    (root, listener) => new KernelLink({ model, root, timers, viewId: newId(), ...listener }),
    dependencies,
  );
}
