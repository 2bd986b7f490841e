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

import { RestartableTimer, type Timers } from './clock';
import { asObject, type WidgetModel, asString, type MessageToKernel } from './messages';

/** Nobody means: what is shown is old, and no button can do anything. */
export type Responder = 'unknown' | 'kernel' | 'page' | 'none';

/** A hello unanswered for this long: the kernel is busy or gone. */
export const HELLO_TIMEOUT_MS = 1_000;

/** What {@link KernelLink} is made of. */
export interface KernelLinkOptions {
  readonly model: WidgetModel;
  readonly timers: Timers;
  /** Called when `company` or `greeting` changed. */
  readonly onChange: () => void;
}

/** The wire to the kernel, and what is known of its other end. */
export class KernelLink {
  readonly #options: KernelLinkOptions;
  #responder: Responder = 'unknown';
  readonly #helloTimer: RestartableTimer;

  constructor(options: KernelLinkOptions) {
    this.#options = options;
    this.#helloTimer = new RestartableTimer(options.timers);
    options.model.on('comm_live_update', this.#checkComm);
  }

  /** Who is there, as far as is known. */
  get responder(): Responder {
    return this.#responder;
  }

  /** A hello was just sent and may still be answered. */
  get helloPending(): boolean {
    return this.#helloTimer.pending;
  }

  /** Send a message; answers whether it could be sent. */
  send(message: MessageToKernel): boolean {
    try {
      this.#options.model.send(message);
      return true;
    } catch {
      this.setResponder('none');
      return false;
    }
  }

  /** Ask the kernel for its time, and the widget manager for the kernel. */
  sendHello(): void {
    this.#helloTimer.set(HELLO_TIMEOUT_MS, this.#options.onChange);
    this.send({ type: 'hello' });
    this.#checkComm();
  }

  /** The hello was answered: nothing to wait for. */
  helloAnswered(): void {
    this.#helloTimer.clear();
  }

  /** Somebody showed up or went. */
  setResponder(responder: Responder): void {
    if (responder !== this.#responder) {
      this.#responder = responder;
      this.#options.onChange();
    }
  }

  /** Stop for good. Calling it twice is fine. */
  dispose(): void {
    this.helloAnswered();
    this.#options.model.off('comm_live_update', this.#checkComm);
  }

  readonly #checkComm = (): void => {
    const { model } = this.#options;
    const ownId = asString(model.get('own_id'));
    const widgetModel = ownId ? model.widget_manager?.get_model?.(ownId) : undefined;
    void widgetModel?.then(
      (raw) => {
        this.#onCommLive(asObject(raw).comm_live);
      },
      () => undefined,
    );
  };

  #onCommLive(live: unknown): void {
    if (live === false && this.#responder !== 'page') {
      this.setResponder('none');
    } else if (live === true && this.#responder === 'none') {
      this.setResponder('unknown');
    }
  }
}
