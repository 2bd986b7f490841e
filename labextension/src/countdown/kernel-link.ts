/**
 * The host of a countdown widget: its kernel, or the extension of the page it is in.
 *
 * Whether the kernel is alive can be seen from the following:
 * - A custom message has arrived: the kernel is alive.
 * - `model.send` throws: the comm was closed because the kernel was shut down.
 * - The widget manager reports `comm_live: false` for this model: the state was restored from a
 *   saved notebook, or the kernel was restarted. Sending does not fail in this case, so a missing
 *   response alone does not mean that there is no kernel.
 * - Otherwise a missing response means that the kernel is busy. The countdown continues and is
 *   marked as not synchronized.
 */

import type { Recipient } from './actions';
import { RestartableTimer, type Timers } from './clock';
import type { CountdownHost, HostListener, Responder } from './host';
import {
  asNumber,
  asObject,
  asString,
  type ChangeRequest,
  type MessageToKernel,
  PAGE_EVENTS,
  readSnapshot,
  type WidgetModel,
} from './messages';

/** Milliseconds after which a kernel that has not responded to a hello is considered busy. */
export const HELLO_TIMEOUT_MS = 1_000;

/** Milliseconds after which a page still contains the notebook from which only an output was removed. */
export const REMOVAL_DELAY_MS = 1_000;

const OBSERVED_TRAITS = ['state', 'as_of_ms', 'language'];

/** Options of {@link KernelLink}. */
export interface KernelLinkOptions extends HostListener {
  /** The widget's model in the page. */
  readonly model: WidgetModel;
  /** The outermost element of the countdown, where page events are sent and received. */
  readonly root: Element;
  /** Clock and timers. */
  readonly timers: Timers;
  /** Identifies this view of the widget. */
  readonly viewId: string;
}

/** The connection of a countdown widget to its kernel and to the extension of the page. */
export class KernelLink implements CountdownHost {
  readonly #options: KernelLinkOptions;
  readonly #helloTimer: RestartableTimer;
  #responder: Responder = 'unknown';
  #terminalPrefix = '';
  #notebook: Element | null = null;

  constructor(options: KernelLinkOptions) {
    this.#options = options;
    this.#helloTimer = new RestartableTimer(options.timers);
    const { model, root } = options;
    model.on('comm_live_update', this.#checkComm);
    for (const trait of OBSERVED_TRAITS) {
      model.on(`change:${trait}`, this.#onTraitChange);
    }
    model.on('msg:custom', this.#onKernelMessage);
    root.addEventListener(PAGE_EVENTS.state, this.#onStateEvent);
    document.addEventListener('focusin', this.#describeField);
  }

  /** The `language` trait of the widget. */
  get language(): string {
    return asString(this.#options.model.get('language'));
  }

  /** The start of a terminal command, as far as the kernel has sent it. */
  get terminalPrefix(): string {
    return this.#terminalPrefix;
  }

  /** The responder, as far as is known. */
  get responder(): Responder {
    return this.#responder;
  }

  /** Whether a hello was sent less than {@link HELLO_TIMEOUT_MS} ago and not answered yet. */
  get helloPending(): boolean {
    return this.#helloTimer.pending;
  }

  /** Show the state of the model, and request the kernel's time. */
  connect(): void {
    this.sendHello();
    this.#onTraitChange();
  }

  /** Request the kernel's time, and ask the widget manager whether the kernel is alive. */
  sendHello(): void {
    this.#helloTimer.set(HELLO_TIMEOUT_MS, this.#options.onChange);
    this.#send({ type: 'hello', view: this.#options.viewId });
    this.#checkComm();
  }

  /** Stop waiting for the response to a hello. */
  helloAnswered(): void {
    this.#helloTimer.clear();
  }

  /** Send a request to the page's extension or, if it does not accept it, to the kernel. */
  sendRequest(request: ChangeRequest): Recipient | null {
    const respond = (result: unknown): void => {
      this.#options.onResult(request.id, result);
    };
    if (this.#dispatchToPage(PAGE_EVENTS.request, { ...request, respond })) {
      return 'page';
    }
    return this.#send({ type: 'request', ...request }) ? 'kernel' : null;
  }

  /** Ask the recipient to cancel a request. */
  cancelRequest(id: string, recipient: Recipient): void {
    if (recipient === 'page') {
      this.#dispatchToPage(PAGE_EVENTS.cancel, { id });
    } else {
      this.#send({ type: 'cancel', id });
    }
  }

  /** Release all listeners and timers. May be called more than once. */
  dispose(): void {
    this.helloAnswered();
    const { model, root } = this.#options;
    model.off('comm_live_update', this.#checkComm);
    for (const trait of OBSERVED_TRAITS) {
      model.off(`change:${trait}`, this.#onTraitChange);
    }
    model.off('msg:custom', this.#onKernelMessage);
    root.removeEventListener(PAGE_EVENTS.state, this.#onStateEvent);
    document.removeEventListener('focusin', this.#describeField);
    this.#sendBye();
  }

  /** Tell the kernel that the view is gone, unless its whole notebook is: that may be opened again. */
  #sendBye(): void {
    const notebook = this.#notebook;
    this.#notebook = null;
    if (notebook !== null) {
      this.#options.timers.setTimeout(() => {
        if (notebook.isConnected) {
          this.#send({ type: 'bye', view: this.#options.viewId });
        }
      }, REMOVAL_DELAY_MS);
    }
  }

  /** Send a message; returns whether this was possible. */
  #send(message: MessageToKernel): boolean {
    try {
      this.#options.model.send(message);
      return true;
    } catch {
      this.#setResponder('none');
      return false;
    }
  }

  /** Dispatch an event to the page; returns whether a listener accepted it. */
  #dispatchToPage(type: string, detail: object): boolean {
    const event = new CustomEvent(type, { detail, bubbles: true, cancelable: true });
    return !this.#options.root.dispatchEvent(event);
  }

  #setResponder(responder: Responder): void {
    if (responder !== this.#responder) {
      this.#responder = responder;
      this.#options.onChange();
    }
  }

  readonly #onTraitChange = (): void => {
    const { model, onState } = this.#options;
    onState({ state: model.get('state') ?? {}, as_of_ms: asNumber(model.get('as_of_ms')) ?? 0 });
  };

  readonly #onKernelMessage = (raw: unknown): void => {
    const { type, id, terminal_prefix: terminalPrefix } = asObject(raw);
    this.#terminalPrefix = asString(terminalPrefix) || this.#terminalPrefix;
    this.#notebook ??= this.#options.root.closest('.jp-Notebook');
    this.#setResponder('kernel');
    if (type === 'result') {
      this.#options.onResult(asString(id), raw);
    } else {
      this.#options.onState(raw);
    }
  };

  readonly #onStateEvent = (event: Event): void => {
    const detail: unknown = (event as CustomEvent<unknown>).detail;
    if (readSnapshot(detail) !== null) {
      this.#options.onState(detail);
      this.#setResponder('page');
    }
  };

  /** Make the note below a field of a form the description of the field, because it may be an error. */
  readonly #describeField = ({ target }: Event): void => {
    const field = target as HTMLElement;
    const note = field.closest('.ma-Field')?.nextElementSibling;
    if (note) {
      note.id = `${field.id}-note`;
      field.setAttribute('aria-describedby', note.id);
    }
  };

  readonly #checkComm = (): void => {
    const { model } = this.#options;
    const widgetId = asString(model.get('widget_id'));
    const widgetModel = widgetId ? model.widget_manager?.get_model?.(widgetId) : undefined;
    void widgetModel?.then(
      (raw) => {
        this.#onCommLive(asObject(raw).comm_live);
      },
      () => undefined,
    );
  };

  #onCommLive(live: unknown): void {
    // In a form, the countdown and its fallback are followed by the fields, which need the kernel.
    this.#options.root
      .closest('.ma-CountdownFrame')
      ?.children[2]?.toggleAttribute('inert', live === false);
    if (live === false && this.#responder !== 'page') {
      this.#setResponder('none');
    } else if (live === true && this.#responder === 'none') {
      this.#setResponder('unknown');
    }
  }
}
