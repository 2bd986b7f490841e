/** The backend in the Jupyter server: the REST API of the server extension. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { asObject } from '../countdown/messages';
import { BackendError, type BackendRequest, type IBackend } from '../tokens';
import { readError } from './validate';

const BASE_PATH = 'modelarts-magics/v1';
/** A read without a response for this long has failed: after a sleep, the connection may be lost. */
const READ_TIMEOUT_MS = 15_000;

/** Sends requests to the server extension. Jupyter's connection adds token and XSRF header. */
export class RestBackend implements IBackend {
  /** {@inheritDoc IBackend.kind} */
  readonly kind = 'server-extension';
  /** {@inheritDoc IBackend.pushesEvents} */
  readonly pushesEvents = true;
  readonly #serverSettings: ServerConnection.ISettings;
  readonly #isStreamOpen: () => boolean;
  #hasAnswered = false;

  /**
   * @param settings - the settings of Jupyter's connection
   * @param isStreamOpen - returns whether change events have arrived
   */
  constructor(settings: ServerConnection.ISettings, isStreamOpen: () => boolean) {
    this.#serverSettings = settings;
    this.#isStreamOpen = isStreamOpen;
  }

  /** Do nothing. */
  dispose(): void {
    // There is nothing to release: the connection belongs to Jupyter.
  }

  /** Send a request. */
  async call({ method, path, body }: BackendRequest): Promise<unknown> {
    const response = await this.#send(path + this.#query(path, method), {
      method,
      headers: { 'Accept-Language': document.documentElement.lang || 'en' },
      ...(body && { body: JSON.stringify(body) }),
      ...(isShortRead(path, method) && { signal: AbortSignal.timeout(READ_TIMEOUT_MS) }),
    });
    const content = await readJson(response);
    if (!this.#isOurs(content, response.ok, method === 'GET' && path.startsWith('instance'))) {
      // An extension that has answered before is there; a proxy has answered in its place.
      throw new BackendError(this.#hasAnswered ? 'unreachable' : 'no-backend');
    }
    this.#hasAnswered = true;
    if (!response.ok) {
      throw readError(response.status, content);
    }
    return content;
  }

  /** Return the query of a request. While no event has arrived, a read asks the server for one. */
  #query(path: string, method: string): string {
    return isShortRead(path, method) && !this.#isStreamOpen() ? '?hello=1' : '';
  }

  /**
   * Return whether a response comes from the server extension. Without it, Jupyter answers with its
   * own error, and a gateway may answer with an error or a login page of any status.
   */
  #isOurs(content: unknown, ok: boolean, isRead: boolean): boolean {
    const { code, server_id: serverId } = asObject(content);
    if (!ok) {
      return typeof code === 'string';
    }
    return typeof serverId === 'string' || (this.#hasAnswered && !isRead && content !== null);
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    const url = URLExt.join(this.#serverSettings.baseUrl, BASE_PATH, path);
    try {
      return await ServerConnection.makeRequest(url, init, this.#serverSettings);
    } catch {
      // The browser does not report the reason.
      throw new BackendError('unreachable');
    }
  }
}

/** Return whether a request reads the instance without a call of the API. */
const isShortRead = (path: string, method: string): boolean =>
  path === 'instance' && method === 'GET';

/** Return the JSON of a response; `null` when it is something else, such as a proxy's error page. */
async function readJson(response: Response): Promise<unknown> {
  try {
    return (await response.json()) as unknown;
  } catch {
    return null;
  }
}
