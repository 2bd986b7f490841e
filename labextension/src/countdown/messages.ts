/**
 * Everything that passes between the countdown in the page and whoever knows the instance.
 * Names on the wire are snake_case; every moment is in milliseconds since 1970 by the server's
 * clock, every length in seconds.
 *
 * Synced traits (kernel → page; the page sets none of them):
 * - `state`: {@link InstanceState}; `as_of_ms`: when it was observed. Both are set together
 *   (`hold_sync`).
 * - `own_id`: the widget's own model id. With it the page can ask its widget manager whether the
 *   model still has a comm. `""`: a missing kernel cannot be told from a busy one.
 * - `terminal_prefix`: the start of a command line that does without the kernel, such as
 *   `/opt/env/bin/python -m modelarts_magics`; the page appends `extend 1h` or `shorten 1h`.
 *   `""`: no command is offered.
 * - `language`: `"en"`, `"zh"` (or any tag that begins so); `""`: the page's own.
 *
 * Custom messages: {@link MessageFromKernel} and {@link MessageToKernel}. Events on the page: {@link PAGE_EVENTS}.
 */

/** The earliest and latest stop that a change of this run may ask for. */
export interface Bounds {
  readonly earliest_stop_ms: number;
  readonly latest_stop_ms: number;
  /** The bounds were reckoned from `as_of_ms` and move on with the clock. */
  readonly from_now: boolean;
}

/** The instance's auto-stop as last known. */
export interface InstanceState {
  /** Whose auto-stop it is: two instances may have one name. */
  readonly id: string;
  readonly stops_at_ms: number | null;
  readonly status: string;
  readonly enabled: boolean | null;
  readonly mode: string | null;
  /** Whether the console reminds of the stop; `null` where the API has no such setting. */
  readonly prompt: boolean | null;
  /** Which API spoke, `demanager` or `notebooks`; shown in a tooltip. */
  readonly api: string;
  readonly run_started_at_ms: number | null;
  readonly duration_s: number | null;
  readonly name: string;
  /** The instance is the local emulator's. */
  readonly demo: boolean;
  /** A code of sentences.ts that says why the stop time is unknown; `""` when it is known. */
  readonly unknown_reason: string;
  readonly bounds: Bounds | null;
  /** Whether this API and these credentials may change the run's stop time at all. */
  readonly can_change: boolean;
  /** A code of sentences.ts that says why not; `""` when `can_change`. */
  readonly reason: string;
}

/** A state and when it was observed; the later of two is the truer. */
export interface Snapshot {
  readonly state: InstanceState;
  readonly as_of_ms: number;
}

/** One change, asked for by any number of clicks. */
export interface ChangeRequest {
  readonly id: string;
  readonly action: 'extend' | 'shorten';
  /** By how much, always positive. */
  readonly seconds: number;
  /** The stop time the person saw. When it is another one by now, the request is dropped (`changed`). */
  readonly base_stops_at_ms: number;
}

/**
 * The outcome of a {@link ChangeRequest}. The kernel sets the traits to the new state first and
 * sends this after it; {@link StateUpdate} is for a page that answers, or a kernel that sends both in one.
 */
export interface ChangeResult {
  readonly ok: boolean;
  /** What the cloud's own answer shows; `null` when nothing was changed. */
  readonly effect: 'now' | 'next-start' | 'unconfirmed' | null;
  /** A code of sentences.ts: why it was refused, or which bound it ran into (`at-latest`, `at-earliest`); else `""`. */
  readonly code: string;
  readonly values: ResultValues;
  /** The same in the kernel's words, shown when the page has no words for `code`. */
  readonly text: string;
}

/**
 * What may come beside an answer: the state read back after the write and when that was (both or
 * none), and the server's time now.
 */
export interface StateUpdate extends Partial<Snapshot> {
  readonly server_now_ms?: number;
}

/** Numbers for the sentence of an {@link ChangeResult}. */
export interface ResultValues {
  /** The duration saved for the next start, and the one it replaces. */
  readonly duration_s?: number | null;
  readonly previous_duration_s?: number | null;
}

/** Page → kernel. */
export type MessageToKernel =
  | { readonly type: 'hello' }
  | ({ readonly type: 'request' } & ChangeRequest)
  | { readonly type: 'cancel'; readonly id: string };

/** Kernel → page. `now` answers `hello`; neither is ever part of the synced state. */
export type MessageFromKernel =
  | { readonly type: 'now'; readonly server_now_ms: number }
  | ({ readonly type: 'result'; readonly id: string } & ChangeResult & StateUpdate);

/**
 * Events on the countdown's element (`.ma-Countdown`, whose `data-instance` is the instance's id), for
 * a page that has our extension:
 * - `request` (bubbles, cancelable): `detail` is a {@link ChangeRequest} with `respond(answer)`,
 *   where `answer` is {@link ChangeResult} & {@link StateUpdate}. Who calls `preventDefault()` answers; otherwise the kernel is asked.
 * - `cancel` (bubbles): `detail` is `{id}` of a request that the page had taken.
 * - `state` (dispatched *at* the element): `detail` is `{state, as_of_ms, server_now_ms?}`.
 */
export const PAGE_EVENTS = {
  request: 'modelarts-magics:request',
  cancel: 'modelarts-magics:cancel',
  state: 'modelarts-magics:state',
} as const;

/** The part of anywidget's model that is used. */
export interface WidgetModel {
  get(name: string): unknown;
  send(message: MessageToKernel): void;
  on(name: string, callback: (value: unknown) => void): void;
  off(name: string, callback: (value: unknown) => void): void;
  readonly widget_manager?: { get_model?(id: string): Promise<unknown> | undefined };
}

type JsonObject = Readonly<Record<string, unknown>>;

/** The value as an object with unknown fields; anything else is an empty one. */
export function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? (value as JsonObject) : {};
}

/** The value as a number, else `null`. */
export function asNumber(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

/** The value as a text, else an empty one. */
export function asString(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

const EMPTY_STATE: InstanceState = {
  id: '',
  stops_at_ms: null,
  status: '',
  enabled: null,
  mode: null,
  prompt: null,
  api: '',
  run_started_at_ms: null,
  duration_s: null,
  name: '',
  demo: false,
  unknown_reason: '',
  bounds: null,
  can_change: false,
  reason: '',
};

const NO_RESULT: ChangeResult = {
  ok: false,
  effect: null,
  code: '',
  values: {},
  text: '',
};

/** A state from the wire. Both ends are one package; a field that an older one lacks is absent. */
export function readState(value: unknown): InstanceState {
  return { ...EMPTY_STATE, ...asObject(value) };
}

/** Read `{state, as_of_ms}`; `null` when there is no state in it. */
export function readSnapshot(value: unknown): Snapshot | null {
  const { state, as_of_ms: asOfMs } = asObject(value);
  return state && typeof asOfMs === 'number' ? { state: readState(state), as_of_ms: asOfMs } : null;
}

/** Read the outcome of a request from a kernel's message or a page's response. */
export function readChangeResult(value: unknown): ChangeResult {
  return { ...NO_RESULT, ...asObject(value) };
}
