/** Countdown widgets in the page: the manager answers their clicks and tells them what it learns. */

import type { TranslationBundle } from '@jupyterlab/translation';
import {
  type ChangeRequest,
  EVENTS,
  type InstanceState,
  type Snapshot,
} from '../countdown/messages';
import { lostText } from '../text/status-text';
import { type IManager, isSameStop } from '../tokens';

/** What a request carries besides itself. */
type Asked = ChangeRequest & { respond(answer: unknown): void };

const stateOf = ({ payload }: IManager): InstanceState | undefined => payload?.snapshot?.state;

/** Whether a change of this run can be asked for by way of the manager. */
export function canChange(manager: IManager): boolean {
  const { payload, failure } = manager;
  return failure === null && payload?.readOnly === false && stateOf(manager)?.can_change === true;
}

/** What is pushed to a countdown, at this moment; `null` when nothing is known. */
export function pushed(manager: IManager): (Snapshot & { server_now_ms?: number }) | null {
  const snapshot = manager.payload?.snapshot;
  if (!snapshot) {
    return null;
  }
  const { clock } = manager;
  return clock.checked ? { ...snapshot, server_now_ms: clock.now() } : snapshot;
}

/** Give a countdown's element what is known. */
export function push(element: Element, manager: IManager): void {
  const detail = pushed(manager);
  if (detail !== null) {
    element.dispatchEvent(new CustomEvent(EVENTS.state, { detail }));
  }
}

/** Listens on the document for clicks on widgets, and pushes each change to those of our instance. */
export class Pages {
  readonly #manager: IManager;
  readonly #root: Document;
  readonly #trans: TranslationBundle;

  constructor(manager: IManager, root: Document, trans: TranslationBundle) {
    this.#manager = manager;
    this.#root = root;
    this.#trans = trans;
    root.addEventListener(EVENTS.request, this.#onRequest);
    manager.changed.connect(this.#onChanged, this);
  }

  /** Answer no more. Calling it twice is fine. */
  dispose(): void {
    this.#root.removeEventListener(EVENTS.request, this.#onRequest);
    this.#manager.changed.disconnect(this.#onChanged, this);
  }

  #onChanged(): void {
    if (this.#manager.payload?.readOnly === true) {
      return; // The widget's kernel may know and do more: what is shown here may even come from it.
    }
    for (const element of this.#root.querySelectorAll('.ma-Countdown')) {
      if (this.#isOurs(element)) {
        push(element, this.#manager);
      }
    }
  }

  /** A kernel may be about another instance than the server is. */
  #isOurs(element: Element): boolean {
    const id = stateOf(this.#manager)?.id;
    return !!id && (element as HTMLElement).dataset['instance'] === id;
  }

  readonly #onRequest = (event: Event): void => {
    const asked = (event as CustomEvent<Asked>).detail;
    // Else it is not ours to answer, and the kernel is asked instead.
    if (
      canChange(this.#manager) &&
      this.#isOurs(event.target as Element) &&
      isSameStop(stateOf(this.#manager)?.stops_at_ms ?? 0, asked.base_stops_at_ms)
    ) {
      event.preventDefault();
      void this.#answer(asked);
    }
  };

  async #answer(asked: Asked): Promise<void> {
    const { action, seconds, base_stops_at_ms: base } = asked;
    const outcome = await this.#manager.extend(action === 'shorten' ? -seconds : seconds, base);
    const lost = outcome.answer.code === 'unreachable' && { text: lostText(this.#trans) };
    asked.respond({ ...outcome.answer, ...lost, ...pushed(this.#manager) });
  }
}
