/** A clock, a page and a kernel that do what a test tells them. */

import type { Timers } from '../../src/countdown/clock';
import type { InstanceState, WidgetModel, MessageToKernel } from '../../src/countdown/messages';
import { readState } from '../../src/countdown/messages';

/** 2026-11-23 16:52 in the zone of the tests, +08:00. */
export const NOW = Date.UTC(2026, 10, 23, 8, 52);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** Timers under a clock that only a test moves. */
export class FakeTimers implements Timers {
  /** How late every timer fires, as in a throttled tab. */
  delayMs = 0;
  private wallMs: number;
  private elapsedMs = 0;
  private nextId = 1;
  private readonly callbacks = new Map<number, { at: number; callback: () => void }>();

  constructor(wallMs = NOW) {
    this.wallMs = wallMs;
  }

  now(): number {
    return this.wallMs;
  }

  monotonic(): number {
    return this.elapsedMs;
  }

  setTimeout(callback: () => void, delayMs: number): number {
    const id = this.nextId++;
    this.callbacks.set(id, { at: this.elapsedMs + delayMs + this.delayMs, callback });
    return id;
  }

  clearTimeout(id: number): void {
    this.callbacks.delete(id);
  }

  /** How many timers wait. */
  get pendingCount(): number {
    return this.callbacks.size;
  }

  /** Let time pass, firing what is due in its order. */
  advance(ms: number): void {
    const end = this.elapsedMs + ms;
    for (;;) {
      const [id, next] = [...this.callbacks].sort((a, b) => a[1].at - b[1].at)[0] ?? [];
      if (id === undefined || next === undefined || next.at > end) {
        break;
      }
      this.callbacks.delete(id);
      this.moveClocks(Math.max(next.at - this.elapsedMs, 0));
      next.callback();
    }
    this.moveClocks(end - this.elapsedMs);
  }

  /** Let time pass on the wall only, as a machine does that sleeps; nothing fires. */
  sleep(ms: number): void {
    this.wallMs += ms;
  }

  private moveClocks(ms: number): void {
    this.elapsedMs += ms;
    this.wallMs += ms;
  }
}

/** An event target that knows how many types are listened to. */
export class ListenerCountingTarget extends EventTarget {
  private readonly eventTypes = new Set<string>();

  get listenerCount(): number {
    return this.eventTypes.size;
  }

  override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
    this.eventTypes.add(args[0]);
    super.addEventListener(...args);
  }

  override removeEventListener(...args: Parameters<EventTarget['removeEventListener']>): void {
    this.eventTypes.delete(args[0]);
    super.removeEventListener(...args);
  }
}

/** A model as anywidget gives it, with the kernel's side in the test's hands. */
export class FakeModel implements WidgetModel {
  readonly sent: MessageToKernel[] = [];
  /** Set to make `send` throw, as a closed comm does. */
  isClosed = false;
  commLive: boolean | null = null;
  private readonly traits: Record<string, unknown>;
  private readonly handlers: [string, (value: unknown) => void][] = [];

  constructor(state: InstanceState, asOfMs = NOW) {
    this.traits = { state, as_of_ms: asOfMs, language: 'en', terminal_prefix: '', own_id: 'id' };
  }

  readonly widget_manager = {
    get_model: (): Promise<unknown> =>
      this.commLive === null
        ? Promise.reject(new Error('no such model'))
        : Promise.resolve({ comm_live: this.commLive }),
  };

  get listenerCount(): number {
    return this.handlers.length;
  }

  get(name: string): unknown {
    return this.traits[name];
  }

  send(message: MessageToKernel): void {
    if (this.isClosed) {
      throw new Error('Cannot send');
    }
    this.sent.push(message);
  }

  on(name: string, callback: (value: unknown) => void): void {
    this.handlers.push([name, callback]);
  }

  off(name: string, callback: (value: unknown) => void): void {
    const at = this.handlers.findIndex(([n, c]) => n === name && c === callback);
    if (at >= 0) {
      this.handlers.splice(at, 1);
    }
  }

  emit(name: string, value?: unknown): void {
    for (const [, callback] of this.handlers.filter(([n]) => n === name)) {
      callback(value);
    }
  }

  /** The kernel sets traits. */
  setTraits(traits: Record<string, unknown>): void {
    Object.assign(this.traits, traits);
    for (const name of Object.keys(traits)) {
      this.emit(`change:${name}`);
    }
  }

  /** The kernel sends a custom message. */
  receiveMessage(message: object): void {
    this.emit('msg:custom', message);
  }

  /** The requests among the messages. */
  get requests(): Extract<MessageToKernel, { type: 'request' }>[] {
    return this.sent.filter((message) => message.type === 'request');
  }
}

/** A running instance that stops in `leftMs`. */
export function runningState(
  leftMs: number,
  overrides: Partial<InstanceState> = {},
): InstanceState {
  return {
    ...readState(null),
    status: 'RUNNING',
    enabled: true,
    mode: 'TIMING',
    stops_at_ms: NOW + leftMs,
    run_started_at_ms: NOW - HOUR,
    duration_s: 7200,
    can_change: true,
    ...overrides,
  };
}

/** The answer to a request that the cloud carried out. */
export const SUCCESS = { ok: true, effect: 'now', code: '', values: {}, text: '' } as const;
