/** The countdown of the panel: the same widget as in a notebook, without a kernel behind it. */

import type { Timers, Wakeup } from '../countdown/clock';
import { CountdownController } from '../countdown/controller';
import type { WidgetModel, MessageToKernel } from '../countdown/messages';
import { pushState } from '../manager/widget-bridge';
import type { Payload } from '../tokens';
import { panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** What the countdown needs besides. */
export interface CountdownSectionOptions extends PanelSectionOptions {
  readonly timers: Timers;
  readonly wakeups: readonly Wakeup[];
}

/** Shows the time left with its buttons; the page's listener answers the clicks. */
export class CountdownSection implements PanelSection {
  readonly node = panelElement('section', 'countdown');
  readonly #options: CountdownSectionOptions;
  readonly #controller: CountdownController;
  #lastRequestId = 0;

  constructor(options: CountdownSectionOptions) {
    this.#options = options;
    const { timers, wakeups } = options;
    this.#controller = new CountdownController(
      { model: this.#createModel(), el: this.node },
      { timers, wakeups, newId: () => `panel-${++this.#lastRequestId}` },
    );
  }

  update(payload: Payload | null): void {
    this.node.hidden = !payload?.snapshot;
    // No buttons where nobody could do what they ask for.
    const isReadOnly = payload?.readOnly === true || this.#options.manager.failure !== null;
    this.node.classList.toggle('ma-mod-readOnly', isReadOnly);
    const root = this.node.querySelector('.ma-Countdown');
    if (root) {
      pushState(root, this.#options.manager);
    }
  }

  /** Stop. Calling it twice is fine. */
  dispose(): void {
    this.#controller.dispose();
  }

  /** A model that knows nothing by itself: everything comes by being pushed. */
  #createModel(): WidgetModel {
    return {
      get: () => null,
      on: () => undefined,
      off: () => undefined,
      send: (message: MessageToKernel) => {
        if (message.type === 'hello' && this.#options.manager.payload !== null) {
          void this.#options.manager.refresh();
        } else if (message.type === 'request') {
          throw new Error('nobody answers'); // shown as "not connected"
        }
      },
    };
  }
}
