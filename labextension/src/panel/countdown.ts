/** The countdown of the panel: the same widget as in a notebook, without a kernel behind it. */

import type { Timers, Wakeup } from '../countdown/clock';
import { CountdownWidget } from '../countdown/controller';
import type { Model, ToKernel } from '../countdown/messages';
import { push } from '../manager/widget-bridge';
import type { Payload } from '../tokens';
import { part, type Section, type SectionOptions } from './parts';

/** What the countdown needs besides. */
export interface CountdownOptions extends SectionOptions {
  readonly timers: Timers;
  readonly wakeups: readonly Wakeup[];
}

/** Shows the time left with its buttons; the page's listener answers the clicks. */
export class CountdownSection implements Section {
  readonly node = part('section', 'countdown');
  readonly #options: CountdownOptions;
  readonly #widget: CountdownWidget;
  #id = 0;

  constructor(options: CountdownOptions) {
    this.#options = options;
    const { timers, wakeups } = options;
    this.#widget = new CountdownWidget(
      { model: this.#model(), el: this.node },
      { timers, wakeups, newId: () => `panel-${++this.#id}` },
    );
  }

  update(payload: Payload | null): void {
    this.node.hidden = !payload?.snapshot;
    // No buttons where nobody could do what they ask for.
    const mute = payload?.readOnly === true || this.#options.manager.failure !== null;
    this.node.classList.toggle('ma-mod-readonly', mute);
    const root = this.node.querySelector('.ma-Countdown');
    if (root) {
      push(root, this.#options.manager);
    }
  }

  /** Stop. Calling it twice is fine. */
  dispose(): void {
    this.#widget.dispose();
  }

  /** A model that knows nothing by itself: everything comes by being pushed. */
  #model(): Model {
    return {
      get: () => null,
      on: () => undefined,
      off: () => undefined,
      send: (message: ToKernel) => {
        if (message.type === 'hello' && this.#options.manager.payload !== null) {
          void this.#options.manager.refresh();
        } else if (message.type === 'request') {
          throw new Error('nobody answers'); // shown as "not connected"
        }
      },
    };
  }
}
