import { describe, expect, it } from 'vitest';
import { FallbackBackend } from '../../src/backend/fallback';
import { BackendError } from '../../src/tokens';
import { FakeBackend, instancePayload } from '../fakes';

const GET = { method: 'GET', path: 'instance' } as const;
const throwNoBackend = (): unknown => {
  throw new BackendError('no-backend', '', { status: 404 });
};

function createBackends() {
  const all = [new FakeBackend(), new FakeBackend('helper-kernel', false)] as const;
  return { all, chain: new FallbackBackend(all.map((each) => () => each)) };
}

describe('a chain of backends', () => {
  it('makes the first one when it is asked, and stays with it', async () => {
    const { all, chain } = createBackends();
    expect(chain.current).toBeNull();
    await chain.call(GET);
    await chain.call(GET);
    expect(chain.current).toBe(all[0]);
    expect(all.map(({ requests }) => requests.length)).toEqual([2, 0]);
  });

  it('goes on to the next where one is not there, once for all questions at the time', async () => {
    const { all, chain } = createBackends();
    all[0].respond = throwNoBackend;
    const answers = await Promise.all([chain.call(GET), chain.call(GET), chain.call(GET)]);
    expect(answers).toEqual([instancePayload(), instancePayload(), instancePayload()]);
    expect(chain.current).toBe(all[1]);
    expect(all[0].isDisposed).toBe(true);
  });

  it('says so where none is there, and begins anew the next time', async () => {
    const { all, chain } = createBackends();
    all.forEach((each) => (each.respond = throwNoBackend));
    await expect(chain.call(GET)).rejects.toMatchObject({ code: 'no-backend' });
    expect(chain.current).toBeNull();
    all[0].respond = () => instancePayload();
    expect(await chain.call(GET)).toEqual(instancePayload());
  });

  it('stays where the question itself failed', async () => {
    const { all, chain } = createBackends();
    all[0].respond = () => {
      throw new BackendError('unreachable');
    };
    await expect(chain.call(GET)).rejects.toMatchObject({ code: 'unreachable' });
    expect(chain.current).toBe(all[0]);
  });

  it('is over once it is disposed of', async () => {
    const { all, chain } = createBackends();
    await chain.call(GET);
    chain.dispose();
    chain.dispose();
    expect(all[0].isDisposed).toBe(true);
    all[0].respond = throwNoBackend;
    const late = [chain.call(GET), chain.call(GET)];
    for (const each of [...late, chain.call(GET)]) {
      await expect(each).rejects.toMatchObject({ code: 'no-backend' });
    }
    expect(all[1].requests).toEqual([]);
  });
});
