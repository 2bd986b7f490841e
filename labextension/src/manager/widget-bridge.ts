/** Countdown widgets in the page: the manager answers their clicks and tells them what it learns. */

import type { TranslationBundle } from '@jupyterlab/translation';
import {
  type ChangeRequest,
  PAGE_EVENTS,
  type InstanceState,
  type Snapshot,
} from '../countdown/messages';
import { noResponseText } from '../text/status-text';
import { type IManager, isSameStopTime } from '../tokens';

/** What a request carries besides itself. */
type WidgetRequest = ChangeRequest & { respond(answer: unknown): void };

const stateOf = ({ payload }: IManager): InstanceState | undefined => payload?.snapshot?.state;

/** Whether a change of this run can be asked for by way of the manager. */
export function canChange(manager: IManager): boolean {
  const { payload, failure } = manager;
  return failure === null && payload?.readOnly === false && stateOf(manager)?.can_change === true;
}

/** What is pushed to a countdown, at this moment; `null` when nothing is known. */
export function stateMessage(manager: IManager): (Snapshot & { server_now_ms?: number }) | null {
  const snapshot = manager.payload?.snapshot;
  if (!snapshot) {
    return null;
  }
  const { clock } = manager;
  return clock.isSynced ? { ...snapshot, server_now_ms: clock.now() } : snapshot;
}

/** Give a countdown's element what is known. */
export function pushState(element: Element, manager: IManager): void {
  const detail = stateMessage(manager);
  if (detail !== null) {
    element.dispatchEvent(new CustomEvent(PAGE_EVENTS.state, { detail }));
  }
}

/** Listens on the document for clicks on widgets, and pushes each change to those of our instance. */
export class WidgetBridge {
  readonly #manager: IManager;
  readonly #document: Document;
  readonly #trans: TranslationBundle;

  constructor(manager: IManager, root: Document, trans: TranslationBundle) {
    this.#manager = manager;
    this.#document = root;
    this.#trans = trans;
    root.addEventListener(PAGE_EVENTS.request, this.#onRequest);
    manager.changed.connect(this.#onChanged, this);
  }

  /** Answer no more. Calling it twice is fine. */
  dispose(): void {
    this.#document.removeEventListener(PAGE_EVENTS.request, this.#onRequest);
    this.#manager.changed.disconnect(this.#onChanged, this);
  }

  #onChanged(): void {
    if (this.#manager.payload?.readOnly === true) {
      return; // The widget's kernel may know and do more: what is shown here may even come from it.
    }
    for (const element of this.#document.querySelectorAll('.ma-Countdown')) {
      if (this.#isSameInstance(element)) {
        pushState(element, this.#manager);
      }
    }
  }

  /** A kernel may be about another instance than the server is. */
  #isSameInstance(element: Element): boolean {
    const id = stateOf(this.#manager)?.id;
    return !!id && (element as HTMLElement).dataset['instance'] === id;
  }

  readonly #onRequest = (event: Event): void => {
    const request = (event as CustomEvent<WidgetRequest>).detail;
    // Else it is not ours to answer, and the kernel is asked instead.
    if (
      canChange(this.#manager) &&
      this.#isSameInstance(event.target as Element) &&
      isSameStopTime(stateOf(this.#manager)?.stops_at_ms ?? 0, request.base_stops_at_ms)
    ) {
      event.preventDefault();
      void this.#handleRequest(request);
    }
  };

  async #handleRequest(request: WidgetRequest): Promise<void> {
    const { action, seconds, base_stops_at_ms: base } = request;
    const outcome = await this.#manager.extend(action === 'shorten' ? -seconds : seconds, base);
    const lost = outcome.result.code === 'unreachable' && { text: noResponseText(this.#trans) };
    request.respond({ ...outcome.result, ...lost, ...stateMessage(this.#manager) });
  }
}
