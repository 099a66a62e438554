// What is done again each second, as long as somebody looks.

const PERIOD = 1000; // ms from the end of one turn to the next

/** Calls act(over) now and each second, never twice at a time, until the function that it returns is called; over says so. */
export function repeat(act) {
  let [timer, ended] = [0, false];
  const turn = async () => {
    try {
      await act(() => ended);
    } catch (error) {
      console.error(error); // one turn that fails is not the last
    }
    if (!ended) timer = setTimeout(turn, PERIOD);
  };
  turn();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
