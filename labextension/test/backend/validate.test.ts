import { describe, expect, it } from 'vitest';
import { fullWidth, lengthOf, offence } from '../../src/panel/description-rules';
import { BackendError, DEFAULTS } from '../../src/tokens';
import {
  readError,
  readFindings,
  readPayload,
  readPreferences,
  readProblem,
  readRefusal,
} from '../../src/backend/validate';
import { wire } from '../fakes';

describe('a payload', () => {
  it('is read field by field', () => {
    const run = { ended_at_ms: 5, reason: 'auto-stop', duration_s: 3600, saved: ['a'] };
    const problem = { code: 'c', message: 'm', hint: 'h' };
    const more = { problem, read_only: true, last_run: run, reminders: { muted: true } };
    const payload = readPayload(wire(0, more));
    expect(payload).toMatchObject({
      ...{ readOnly: true, muted: true, seq: 1, boot: 'b' },
      problem,
    });
    expect(payload.lastRun).toMatchObject({ durationS: 3600, saved: ['a'], notSaved: [] });
    expect(readPayload(wire(0, { capabilities: { shortest_s: 1 } })).capabilities).toBeNull();
    expect(payload.capabilities).toMatchObject({ countsFrom: 'start', longestS: 86_400 });
  });

  it.each([null, undefined, 'text', 7])('%s is none', (value) => {
    expect(() => readPayload(value)).toThrow(BackendError);
  });

  it('with nothing in it says that nothing is known', () => {
    expect(readPayload({})).toEqual({
      ...{ snapshot: null, serverNowMs: null, seq: null, boot: '', instance: null },
      ...{ capabilities: null, muted: false, problem: null, readOnly: false, lastRun: null },
      thisRun: null,
    });
  });

  it('with nonsense in it is not believed', () => {
    const nonsense = { state: 3, instance: [], capabilities: 'x', last_run: 4, seq: 'one' };
    expect(readPayload(nonsense)).toMatchObject({
      ...{ snapshot: null, instance: null, capabilities: null, lastRun: null, seq: null },
    });
    expect(readPayload(wire(0, { last_run: { saved: [1, 'a'], not_saved: 'x' } })).lastRun).toEqual(
      {
        ...{ endedAtMs: null, reason: '', durationS: null, saved: ['a'], notSaved: [] },
      },
    );
  });
});

describe('errors', () => {
  it('say that our routes are absent only where nobody of ours answered', () => {
    expect(readError(404, { message: 'Not Found', reason: null }).code).toBe('absent');
    expect(readError(404, null).code).toBe('absent');
    expect(readError(404, { code: 'http.404', message: 'x' }).code).toBe('http.404');
    expect(readError(500, null).code).toBe('failed');
  });

  it('become answers to a click', () => {
    expect(readRefusal(new BackendError('refuse.unknown_end')).code).toBe('past-end');
    expect(readRefusal(new BackendError('x', 'No.', { status: 403 })).code).toBe('no-permission');
    expect(readRefusal(new BackendError('x', 'No.', { hint: 'Do.' })).text).toBe('No. Do.');
    expect(readProblem({})).toBeNull();
  });
});

it('reads findings, whatever they are', () => {
  expect(readFindings({ findings: [{ about: 'a' }] })).toEqual([
    { about: 'a', level: '', words: '', hint: '' },
  ]);
  expect(readFindings(null)).toEqual([]);
});

describe('preferences', () => {
  it('are the defaults where there are none', () => {
    expect(readPreferences(undefined)).toEqual(DEFAULTS);
  });

  it('are what is set, where that makes sense', () => {
    const set = { remindMinutes: [5, -1, 'x'], extensionMinutes: 90, statusShows: 'both' };
    const no = { saveBeforeStop: false, clock24: false };
    expect(readPreferences({ ...set, ...no, saveMinutes: 0 })).toEqual({
      ...{ ...DEFAULTS, remindMinutes: [5], extensionS: 5400, statusShows: 'both' },
      ...no,
    });
    expect(readPreferences({ remindMinutes: [] }).remindMinutes).toEqual([]);
  });

  it.each([
    { extensionMinutes: 0 },
    { extensionMinutes: 4321 },
    { extensionMinutes: '60' },
    { saveMinutes: 61 },
    { statusShows: 'nothing' },
  ])('%o is none', (set) => {
    expect(readPreferences(set)).toEqual(DEFAULTS);
  });
});

describe('a description', () => {
  it.each(['&', '<', '>', '"', "'", '/'])('must not have %s in it', (character) => {
    expect(offence(`a😀${character}`)).toEqual({ kind: 'character', position: 3, character });
    expect(offence(fullWidth(`a${character}`))).toBeNull();
  });

  it('has at most 512 code points', () => {
    expect(offence('😀'.repeat(512))).toBeNull();
    expect(offence('😀'.repeat(513))).toEqual({ kind: 'too-long', length: 513 });
    expect(lengthOf('😀a')).toBe(2);
  });

  it('is text', () => {
    expect(offence('a\ud800')).toEqual({ kind: 'not-text', position: 2 });
    expect(offence('')).toBeNull();
  });
});
