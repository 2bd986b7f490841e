import { ServerConnection } from '@jupyterlab/services';
import { describe, expect, it } from 'vitest';
import { RestBackend } from '../../src/backend/rest';

function restBackend(reply: () => Response | Promise<Response>) {
  const requests: Request[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://server/user/a/',
    token: '',
    fetch: (input) => {
      requests.push(input as Request);
      return Promise.resolve(reply());
    },
  });
  return { backend: new RestBackend(settings), requests };
}

const jsonResponse = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status });

describe('the REST backend', () => {
  it('sends the language of the page to the server', async () => {
    const { backend, requests } = restBackend(() => jsonResponse({ a: 1 }));
    document.documentElement.lang = 'zh-CN';
    expect(await backend.call({ method: 'POST', path: 'extend', body: { seconds: 1 } })).toEqual({
      a: 1,
    });
    document.documentElement.lang = '';
    const [request] = requests;
    expect(request?.url).toMatch('http://server/user/a/modelarts-magics/v1/extend');
    expect(request?.headers.get('Accept-Language')).toBe('zh-CN');
    expect(await request?.json()).toEqual({ seconds: 1 });
  });

  it.each([
    ['no-backend', () => jsonResponse({ message: 'Not Found' }, 404)],
    [
      'refuse.auto_stop_off',
      () => jsonResponse({ code: 'refuse.auto_stop_off', message: 'x' }, 422),
    ],
    ['failed', () => new Response('<html>', { status: 502 })],
    ['unreachable', () => Promise.reject(new TypeError('network'))],
  ])('fails with the code %s', async (code, reply) => {
    const { backend } = restBackend(reply);
    await expect(backend.call({ method: 'GET', path: 'instance' })).rejects.toMatchObject({ code });
  });
});
