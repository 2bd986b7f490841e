/** Evaluates Python expressions in a kernel. */

import type { Kernel } from '@jupyterlab/services';
import { asObject, asString } from '../countdown/messages';
import { BackendError } from '../tokens';

/** Return a value as JSON in ASCII. The JSON of a text is also the literal of a Python string. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Evaluate an expression, without an entry in the kernel's history; returns the `repr` of its value. */
export async function evaluateExpression(
  kernel: Kernel.IKernelConnection,
  expression: string,
): Promise<string> {
  const future = kernel.requestExecute({
    ...{ code: '', silent: true, store_history: false, stop_on_error: false, allow_stdin: false },
    user_expressions: { result: expression },
  });
  const reply = await future.done;
  const { result } = asObject(asObject(reply.content).user_expressions);
  const { status, data, ename } = asObject(result);
  if (status !== 'ok') {
    throw new BackendError('failed', asString(ename));
  }
  return asString(asObject(data)['text/plain']);
}

/** Return the JSON in the `repr` of an ASCII string. */
export function parseRepr(repr: string): unknown {
  try {
    return JSON.parse(repr.slice(1, -1).replace(/\\(['\\])/g, '$1')) as unknown;
  } catch {
    throw new BackendError('invalid-response');
  }
}
