// @vitest-environment node
// Tests the built widget module: its size, and the names that a kernel and a page rely on.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { Window } from 'happy-dom';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { buildWidget } from '../scripts/build-widget.mjs';

const folder = mkdtempSync(join(tmpdir(), 'countdown-'));
const now = Date.UTC(2026, 10, 23, 8, 52);

function enterPage() {
  vi.useFakeTimers({ now });
  const window = new Window();
  window.setTimeout = globalThis.setTimeout;
  window.clearTimeout = globalThis.clearTimeout;
  const { document, navigator, CustomEvent } = window;
  for (const [name, value] of Object.entries({ window, document, navigator, CustomEvent })) {
    vi.stubGlobal(name, value);
  }
}

beforeAll(async () => {
  await buildWidget(folder);
});

afterAll(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

it('is at most 10 KiB gzipped', () => {
  expect(
    gzipSync(readFileSync(join(folder, 'countdown.js')), { level: 9 }).length,
  ).toBeLessThanOrEqual(10_240);
});

it('exchanges messages with a kernel', async () => {
  const { default: widget, ...named } = await import(
    pathToFileURL(join(folder, 'countdown.js')).href
  );
  expect(Object.keys(named)).toEqual([]);
  enterPage();
  const sent = [];
  const handlers = {};
  const state = {
    ...{ stops_at_ms: now + 3_600_000, status: 'RUNNING', enabled: true, mode: 'TIMING' },
    ...{ duration_s: 3600, can_change: true },
  };
  const traits = { state, as_of_ms: now, language: 'en', widget_id: '' };
  const model = {
    get: (name) => traits[name],
    send: (message) => sent.push(message),
    on: (name, callback) => (handlers[name] = callback),
    off: (name) => delete handlers[name],
  };
  const el = document.createElement('div');
  const cleanUp = widget.render({ model, el });
  handlers['msg:custom']({ type: 'now', server_now_ms: now, terminal_prefix: 'mm' });
  expect(el.querySelector('.ma-Countdown-timeLeft').textContent).toBe('1 h');
  el.querySelector('[data-action=extend]').click();
  vi.advanceTimersByTime(1600);
  expect(el.querySelector('code').textContent).toBe('mm extend 1h');
  const [hello, request] = sent;
  expect(hello).toEqual({ type: 'hello', view: expect.any(String) });
  const { id, ...rest } = request;
  expect(rest).toEqual({
    ...{ type: 'request', action: 'extend', seconds: 3600 },
    base_stops_at_ms: state.stops_at_ms,
  });
  const values = { duration_s: 7200, previous_duration_s: 3600 };
  const answer = {
    ok: true,
    effect: 'next-start',
    code: '',
    values,
    text: '',
    state: { ...state, duration_s: 7200 },
    as_of_ms: now,
  };
  handlers['msg:custom']({ type: 'result', id, ...answer });
  expect(el.querySelector('.ma-Countdown-feedback').textContent).toContain('2 h (was 1 h)');
  cleanUp();
  expect(handlers).toEqual({});
  expect(vi.getTimerCount()).toBe(0);
});
