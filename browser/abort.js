// What AbortSignal.any is for, which Safari has only since 17.4.

/** Aborts a controller once one of signals is aborted. Returns what ends that. */
export function follow(controller, ...signals) {
  const stop = ({ target }) => controller.abort(target.reason);
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    signal.addEventListener('abort', stop);
  }
  return () => {
    for (const signal of signals) signal.removeEventListener('abort', stop);
  };
}
