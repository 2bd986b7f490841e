/** Connects the countdown widgets in the page to the manager. */

import type { TranslationBundle } from '@jupyterlab/translation';
import {
  type ChangeRequest,
  type ChangeResult,
  type InstanceState,
  PAGE_EVENTS,
  type Snapshot,
  type StateUpdate,
} from '../countdown/messages';
import { keepRunningText, noResponseText } from '../text/status-text';
import { type IManager, isSameStopTime } from '../tokens';

/** The detail of a request event: the request, and the callback for its result. */
type WidgetRequest = ChangeRequest & { respond(result: ChangeResult & StateUpdate): void };

const stateOf = ({ payload }: IManager): InstanceState | undefined => payload?.snapshot?.state;

/** Return the stop time on which a change is based, also if it has passed. */
const baseStopTime = (state: InstanceState | undefined): number =>
  state?.passed_stop_ms ?? state?.stops_at_ms ?? 0;

/** Return whether the stop time can be changed through the manager. */
export function canChange(manager: IManager): boolean {
  const { payload, failure } = manager;
  return failure === null && payload?.readOnly === false && stateOf(manager)?.can_change === true;
}

/** Return the current state in the form that a countdown receives; `null` when it is not known. */
export function stateMessage(manager: IManager): (Snapshot & { server_now_ms?: number }) | null {
  const snapshot = manager.payload?.snapshot;
  if (!snapshot) {
    return null;
  }
  const { clock } = manager;
  return clock.isSynced ? { ...snapshot, server_now_ms: clock.now() } : snapshot;
}

/** Carry out a countdown's request; the manager then also has the state after it. Never rejects. */
export async function handleChangeRequest(
  manager: IManager,
  trans: TranslationBundle,
  { action, seconds, base_stops_at_ms: base }: ChangeRequest,
): Promise<ChangeResult> {
  const { result } = await manager.extend(action === 'shorten' ? -seconds : seconds, base);
  const text =
    result.code === 'unreachable' ? noResponseText(trans) : keepRunningText(trans, result);
  return text ? { ...result, text } : result;
}

/**
 * Responds to the requests of countdown widgets for the same instance, and sends them each change of
 * the state.
 */
export class WidgetBridge {
  readonly #manager: IManager;
  readonly #document: Document;
  readonly #trans: TranslationBundle;

  /**
   * @param manager - carries out the requests
   * @param root - the document that contains the widgets
   * @param trans - the translations
   */
  constructor(manager: IManager, root: Document, trans: TranslationBundle) {
    this.#manager = manager;
    this.#document = root;
    this.#trans = trans;
    root.addEventListener(PAGE_EVENTS.request, this.#onRequest);
    manager.changed.connect(this.#onChanged, this);
  }

  /** Stop responding. May be called more than once. */
  dispose(): void {
    this.#document.removeEventListener(PAGE_EVENTS.request, this.#onRequest);
    this.#manager.changed.disconnect(this.#onChanged, this);
  }

  #onChanged(): void {
    // A widget's kernel may have newer state than a read-only payload, which may come from it.
    if (this.#manager.payload?.readOnly === true) {
      return;
    }
    const detail = stateMessage(this.#manager);
    for (const element of this.#document.querySelectorAll('.ma-Countdown')) {
      if (detail !== null && this.#isSameInstance(element)) {
        element.dispatchEvent(new CustomEvent(PAGE_EVENTS.state, { detail }));
      }
    }
  }

  /** Return whether a widget shows the instance of the server; its kernel may use another one. */
  #isSameInstance(element: Element): boolean {
    const id = stateOf(this.#manager)?.id;
    return !!id && (element as HTMLElement).dataset['instance'] === id;
  }

  readonly #onRequest = (event: Event): void => {
    const request = (event as CustomEvent<WidgetRequest>).detail;
    // Other requests are left to the kernel of the widget.
    if (
      canChange(this.#manager) &&
      this.#isSameInstance(event.target as Element) &&
      isSameStopTime(baseStopTime(stateOf(this.#manager)), request.base_stops_at_ms)
    ) {
      event.preventDefault();
      void this.#handleRequest(request);
    }
  };

  async #handleRequest(request: WidgetRequest): Promise<void> {
    const result = await handleChangeRequest(this.#manager, this.#trans, request);
    request.respond({ ...result, ...stateMessage(this.#manager) });
  }
}
