/**
 * Who is there to ask: the kernel, the page's extension, or nobody.
 *
 * What a view can know of its kernel:
 * - a custom message arrived: the kernel was there a moment ago;
 * - `model.send` throws: the comm was closed (a kernel shut down);
 * - the widget manager says that this model has no comm (`comm_live`, asked by the model's own id):
 *   a state restored from a saved notebook, or a kernel restarted. Sending is then *silent*, so an
 *   unanswered hello alone never means "no kernel";
 * - otherwise an unanswered hello means a busy kernel: the countdown goes on, marked as unchecked.
 */

import { Alarm, type Timers } from './clock';
import { fields, type Model, text, type ToKernel } from './messages';

/** Nobody means: what is shown is old, and no button can do anything. */
export type Company = 'unknown' | 'kernel' | 'page' | 'nobody';

/** A hello unanswered for this long: the kernel is busy or gone. */
export const HELLO_MS = 1_000;

/** What {@link Link} is made of. */
export interface LinkOptions {
  readonly model: Model;
  readonly timers: Timers;
  /** Called when `company` or `greeting` changed. */
  readonly onChange: () => void;
}

/** The wire to the kernel, and what is known of its other end. */
export class Link {
  readonly #options: LinkOptions;
  #company: Company = 'unknown';
  readonly #alarm: Alarm;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.timers);
    options.model.on('comm_live_update', this.#askManager);
  }

  /** Who is there, as far as is known. */
  get company(): Company {
    return this.#company;
  }

  /** A hello was just sent and may still be answered. */
  get greeting(): boolean {
    return this.#alarm.pending;
  }

  /** Send a message; answers whether it could be sent. */
  send(message: ToKernel): boolean {
    try {
      this.#options.model.send(message);
      return true;
    } catch {
      this.meet('nobody');
      return false;
    }
  }

  /** Ask the kernel for its time, and the widget manager for the kernel. */
  hello(): void {
    this.#alarm.set(HELLO_MS, this.#options.onChange);
    this.send({ type: 'hello' });
    this.#askManager();
  }

  /** The hello was answered: nothing to wait for. */
  answered(): void {
    this.#alarm.clear();
  }

  /** Somebody showed up or went. */
  meet(company: Company): void {
    if (company !== this.#company) {
      this.#company = company;
      this.#options.onChange();
    }
  }

  /** Stop for good. Calling it twice is fine. */
  dispose(): void {
    this.answered();
    this.#options.model.off('comm_live_update', this.#askManager);
  }

  readonly #askManager = (): void => {
    const { model } = this.#options;
    const ownId = text(model.get('own_id'));
    const found = ownId ? model.widget_manager?.get_model?.(ownId) : undefined;
    void found?.then(
      (raw) => {
        this.#commIs(fields(raw).comm_live);
      },
      () => undefined,
    );
  };

  #commIs(live: unknown): void {
    if (live === false && this.#company !== 'page') {
      this.meet('nobody');
    } else if (live === true && this.#company === 'nobody') {
      this.meet('unknown');
    }
  }
}
