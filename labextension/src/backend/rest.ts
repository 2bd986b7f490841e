/** The backend in the Jupyter server: the REST API of the server extension. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { asObject } from '../countdown/messages';
import { BackendError, type BackendRequest, type IBackend } from '../tokens';
import { readError } from './validate';

const BASE_PATH = 'modelarts-magics/v1';

/** Sends requests to the server extension. Jupyter's connection adds token and XSRF header. */
export class RestBackend implements IBackend {
  /** {@inheritDoc IBackend.kind} */
  readonly kind = 'server-extension';
  /** {@inheritDoc IBackend.pushesEvents} */
  readonly pushesEvents = true;
  readonly #serverSettings: ServerConnection.ISettings;
  #hasAnswered = false;

  constructor(settings: ServerConnection.ISettings) {
    this.#serverSettings = settings;
  }

  /** Do nothing. */
  dispose(): void {
    // There is nothing to release: the connection belongs to Jupyter.
  }

  /** Send a request. */
  async call({ method, path, body }: BackendRequest): Promise<unknown> {
    const url = URLExt.join(this.#serverSettings.baseUrl, BASE_PATH, path);
    const response = await this.#send(url, {
      method,
      headers: { 'Accept-Language': document.documentElement.lang || 'en' },
      ...(body && { body: JSON.stringify(body) }),
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

  async #send(url: string, init: RequestInit): Promise<Response> {
    try {
      return await ServerConnection.makeRequest(url, init, this.#serverSettings);
    } catch {
      // The browser does not report the reason.
      throw new BackendError('unreachable');
    }
  }
}

/** Return the JSON of a response; `null` when it is something else, such as a proxy's error page. */
async function readJson(response: Response): Promise<unknown> {
  try {
    return (await response.json()) as unknown;
  } catch {
    return null;
  }
}
