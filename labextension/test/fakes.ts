/** Fakes and payloads for the tests of the extension. */

import { nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';
import type { BrowserLock } from '../src/browser/lock';
import { asObject, type InstanceState } from '../src/countdown/messages';
import { Manager } from '../src/manager/manager';
import type { BackendKind, BackendRequest, ChangeEvent, IBackend } from '../src/tokens';
import { FakeTimers, MINUTE, NOW, runningState } from './countdown/fakes';

/** Translations that return the text of the source. */
export const trans: TranslationBundle = nullTranslator.load('modelarts_magics');

/** Return a payload of an instance that stops in `leftMs`. */
export function instancePayload(
  leftMs = 72 * MINUTE,
  overrides: Record<string, unknown> = {},
  state: Partial<InstanceState> = {},
): Record<string, unknown> {
  const { instance = {}, ...rest } = overrides;
  return {
    ...{ as_of_ms: NOW, server_now_ms: NOW, server_id: 'b', seq: 1 },
    instance: instance && {
      ...runningState(leftMs, { id: 'i-1', name: 'train-a', api: 'demanager', ...state }),
      ...{ description: 'one', flavor: 'gpu.1', ...instance },
    },
    capabilities: {
      ...{ counts_from: 'run-start', min_duration_s: 3600, max_duration_s: 86_400 },
      ...{
        can_disable: true,
        supports_idle: false,
        supports_reminder: false,
        persists_duration: true,
      },
    },
    reminders: { muted: false },
    ...{ problem: null, read_only: false, last_run: null },
    ...rest,
  };
}

/** Return the response to a change. */
export function changeResponse(current = instancePayload()): Record<string, unknown> {
  return { ok: true, effect: 'now', code: '', values: {}, text: '', current };
}

/** Create a lock that runs the work of each name in order. */
export function fakeLock(): BrowserLock {
  const turns = new Map<string, Promise<unknown>>();
  return (name, work) => {
    const turn = (turns.get(name) ?? Promise.resolve()).then(work, work);
    turns.set(name, turn);
    return turn;
  };
}

/** Wait until all settled promises are processed. */
export async function flushPromises(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) {
    await Promise.resolve();
  }
}

/** A backend whose responses are set by the test. */
export class FakeBackend implements IBackend {
  readonly requests: BackendRequest[] = [];
  isDisposed = false;
  /** Return the response to a request, or throw. */
  respond: (request: BackendRequest) => unknown = () => instancePayload();

  constructor(
    readonly kind: BackendKind = 'server-extension',
    readonly pushesEvents = true,
  ) {}

  async call(request: BackendRequest): Promise<unknown> {
    this.requests.push(request);
    await Promise.resolve();
    return this.respond(request);
  }

  dispose(): void {
    this.isDisposed = true;
  }

  /** Method and path of each request. */
  get requestLines(): string[] {
    return this.requests.map(({ method, path }) => `${method} ${path}`);
  }
}

/** A manager with fake timers, events and backend. */
export class ManagerHarness {
  readonly timers = new FakeTimers();
  readonly eventTarget = new EventTarget();
  readonly backend = new FakeBackend();
  isVisible = true;
  isStreamOpen = true;
  /** The answer to a question; an error if it cannot be asked. */
  givesConsent: boolean | Error = false;
  readonly questions: string[] = [];
  listenerCount = 0;
  changeCount = 0;
  readonly manager: Manager;
  #listener: (news: ChangeEvent) => void = () => undefined;

  constructor(backends: readonly (() => IBackend)[] = []) {
    this.manager = new Manager({
      backends: backends.length ? backends : [() => this.backend],
      timers: this.timers,
      wakeups: [[this.eventTarget, 'wake']],
      isVisible: () => this.isVisible,
      isStreamOpen: () => this.isStreamOpen,
      askForConsent: (text) => {
        this.questions.push(text);
        return this.givesConsent instanceof Error
          ? Promise.reject(this.givesConsent)
          : Promise.resolve(this.givesConsent);
      },
      subscribe: (listener) => {
        this.listenerCount++;
        this.#listener = listener;
        return () => this.listenerCount--;
      },
    });
    this.manager.changed.connect(() => this.changeCount++);
  }

  /** The number of pending timers, without the one of the manager's checks. */
  get pendingCount(): number {
    return this.timers.pendingCount - 1;
  }

  /** Send a change event to the manager. */
  sendEvent(seq: number | null, serverId = 'b'): void {
    this.#listener({ serverId, sequence: seq });
  }

  /** Dispatch a wake-up event. */
  wakeUp(): void {
    this.eventTarget.dispatchEvent(new Event('wake'));
  }

  /** Refresh with a response, whose server time advances with the clock. */
  async refreshWith(answer?: unknown): Promise<void> {
    if (answer !== undefined) {
      const { server_now_ms: then } = asObject(answer);
      const since = this.timers.now();
      this.backend.respond = () =>
        typeof then === 'number'
          ? { ...asObject(answer), server_now_ms: then + this.timers.now() - since }
          : answer;
    }
    await this.manager.refresh();
  }

  /** Advance the clock and process what is due. */
  async advance(ms: number): Promise<void> {
    this.timers.advance(ms);
    await flushPromises();
  }
}

/** A shell with one notebook in front, whose kernel has a status. */
export class FakeShell {
  readonly currentChanged = new Signal<never, never>({} as never);
  readonly statusChanged = new Signal<object, void>(this);
  readonly kernel = { id: 'k-1', status: 'idle' };
  readonly cells: { promptNode: { textContent: string } }[] = [];
  currentWidget: Widget | null = null;

  /** Open the notebook. */
  open(): void {
    const session = { name: 'train.ipynb', path: 'work/train.ipynb', kernel: this.kernel };
    const sessionContext = { session, statusChanged: this.statusChanged };
    const widget = { context: { sessionContext }, content: { widgets: this.cells } };
    this.currentWidget = widget as unknown as Widget;
    this.currentChanged.emit({} as never);
  }

  /** Set the status of the kernel. */
  setStatus(status: string): void {
    this.kernel.status = status;
    this.statusChanged.emit();
  }
}
