/** A fake clock, page and kernel for the tests of the countdown. */

import type { Timers } from '../../src/countdown/clock';
import type { InstanceState, MessageToKernel, WidgetModel } from '../../src/countdown/messages';
import { readState } from '../../src/countdown/messages';

/** 2026-11-23 16:52 in the time zone of the tests, +08:00. */
export const NOW = Date.UTC(2026, 10, 23, 8, 52);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** Timers with a clock that the test advances. */
export class FakeTimers implements Timers {
  /** The delay of every timer, as in a throttled tab. */
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

  /** The number of pending timers. */
  get pendingCount(): number {
    return this.callbacks.size;
  }

  /** Advance the clock and fire the timers that are due, in order. */
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

  /** Advance the local time only, as on a machine that sleeps. No timer fires. */
  sleep(ms: number): void {
    this.wallMs += ms;
  }

  private moveClocks(ms: number): void {
    this.elapsedMs += ms;
    this.wallMs += ms;
  }
}

/** An event target that counts the event types with listeners. */
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

/** A widget model whose kernel is simulated by the test. */
export class FakeModel implements WidgetModel {
  readonly sent: MessageToKernel[] = [];
  /** Whether `send` throws, as with a closed comm. */
  isClosed = false;
  commLive: boolean | null = null;
  private readonly traits: Record<string, unknown>;
  private readonly handlers: [string, (value: unknown) => void][] = [];

  constructor(state: InstanceState, asOfMs = NOW) {
    this.traits = { state, as_of_ms: asOfMs, language: 'en', widget_id: 'id' };
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

  /** Set traits, as the kernel does. */
  setTraits(traits: Record<string, unknown>): void {
    Object.assign(this.traits, traits);
    for (const name of Object.keys(traits)) {
      this.emit(`change:${name}`);
    }
  }

  /** Receive a custom message from the kernel. */
  receiveMessage(message: object): void {
    this.emit('msg:custom', message);
  }

  /** The requests among the sent messages. */
  get requests(): Extract<MessageToKernel, { type: 'request' }>[] {
    return this.sent.filter((message) => message.type === 'request');
  }
}

/** Return the state of a running instance that stops in `leftMs`. */
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

/** The result of a request that was carried out. */
export const SUCCESS = { ok: true, effect: 'now', code: '', values: {}, text: '' } as const;
