import { describe, expect, it } from 'vitest';
import {
  readError,
  readFindings,
  readPayload,
  readPreferences,
  readProblem,
  readRefusal,
} from '../../src/backend/validate';
import { BackendError, DEFAULT_PREFERENCES } from '../../src/tokens';
import { instancePayload } from '../fakes';

describe('a payload', () => {
  it('is read with all fields', () => {
    const run = { ended_at_ms: 5, reason: 'auto-stop', duration_s: 3600, saved: ['a'] };
    const problem = { code: 'c', message: 'm', hint: 'h' };
    const more = { problem, read_only: true, last_run: run, reminders: { muted: true } };
    const payload = readPayload(instancePayload(0, more));
    expect(payload).toMatchObject({
      ...{ readOnly: true, remindersMuted: true, sequence: 1, serverId: 'b' },
      problem,
    });
    expect(payload.lastRun).toMatchObject({ durationS: 3600, saved: ['a'], notSaved: [] });
    expect(
      readPayload(instancePayload(0, { capabilities: { min_duration_s: 1 } })).capabilities,
    ).toBeNull();
    expect(payload.capabilities).toMatchObject({ countsFrom: 'start', maxDurationS: 86_400 });
  });

  it.each([null, undefined, 'text', 7])('cannot be read from %s', (value) => {
    expect(() => readPayload(value)).toThrow(BackendError);
  });

  it('is read as unknown if it is empty', () => {
    expect(readPayload({})).toEqual({
      ...{
        snapshot: null,
        serverNowMs: null,
        utcOffsetS: null,
        notices: [],
        sequence: null,
        serverId: '',
        instance: null,
      },
      ...{
        capabilities: null,
        remindersMuted: false,
        problem: null,
        readOnly: false,
        ...{ undo: null, undoRefusal: '' },
        restore: null,
        consoleUrl: '',
        lastRun: null,
      },
      savedThisRun: null,
    });
  });

  it('is read as unknown if the types are wrong', () => {
    const nonsense = { instance: [], capabilities: 'x', last_run: 4, seq: 'one' };
    expect(readPayload(nonsense)).toMatchObject({
      ...{ snapshot: null, instance: null, capabilities: null, lastRun: null, sequence: null },
    });
    expect(
      readPayload(instancePayload(0, { last_run: { saved: [1, 'a'], not_saved: 'x' } })).lastRun,
    ).toEqual({
      ...{ endedAtMs: null, reason: '', durationS: null, saved: ['a'], notSaved: [] },
    });
  });
});

describe('errors', () => {
  it('have the code of the server if there is one', () => {
    expect(readError(404, { code: 'http.404', message: 'x' }).code).toBe('http.404');
    expect(readError(500, null).code).toBe('failed');
  });

  it('become a result with message and hint', () => {
    expect(readRefusal(new BackendError('x', 'No.', { hint: 'Do.' })).text).toBe('No. Do.');
    expect(readProblem({})).toBeNull();
  });
});

it('reads findings with missing fields', () => {
  expect(readFindings({ findings: [{ label: 'a' }] })).toEqual([
    { label: 'a', level: '', message: '', hint: '' },
  ]);
  expect(readFindings(null)).toEqual([]);
});

describe('preferences', () => {
  it('are the defaults without settings', () => {
    expect(readPreferences(undefined)).toEqual(DEFAULT_PREFERENCES);
  });

  it('are the valid settings', () => {
    const set = { remindMinutes: [5, -1, 'x'], extensionMinutes: 90, statusShows: 'both' };
    const no = { saveBeforeStop: false, clock24: false };
    expect(readPreferences({ ...set, ...no, saveMinutes: 0 })).toEqual({
      ...{ ...DEFAULT_PREFERENCES, remindMinutes: [5], extensionS: 5400, statusShows: 'both' },
      ...{ saveBeforeStop: false, use24HourClock: false },
    });
    expect(readPreferences({ remindMinutes: [] }).remindMinutes).toEqual([]);
  });

  it.each([
    { extensionMinutes: 0 },
    { extensionMinutes: 4321 },
    { extensionMinutes: '60' },
    { saveMinutes: 61 },
    { statusShows: 'nothing' },
  ])('ignore %o', (set) => {
    expect(readPreferences(set)).toEqual(DEFAULT_PREFERENCES);
  });
});
