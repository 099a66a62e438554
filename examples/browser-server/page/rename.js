// One's own name, which can be changed during a call.

import { notice } from './controls.js';
import { errorText } from './strings.js';

function keep(name) {
  try {
    localStorage.setItem('name', name);
  } catch {
    // It is asked for again the next time.
  }
}

/** Lets a form change it. renamed() is called when it has. */
export function renameBy(form, room, renamed) {
  const { name } = form.elements;
  let asked = null; // name that is being asked for

  const rename = async () => {
    const wanted = name.value;
    if (wanted === asked) return; // a changed field is sent when left, and again when submitted
    asked = wanted;
    notice('');
    let problem = '';
    try {
      await room.rename(wanted);
      renamed();
      keep(room.self.name);
    } catch (error) {
      problem = errorText(error);
    }
    if (asked !== wanted) return; // a newer one counts
    asked = null;
    if (problem) notice(problem);
    if (name.value === wanted) name.value = room.self.name; // nothing else was typed meanwhile
  };

  name.value = room.self.name;
  name.onchange = rename;
  form.onsubmit = (event) => {
    event.preventDefault();
    rename();
  };
}
