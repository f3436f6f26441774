'use strict';
(() => {
  const all = (what, within = document) => Array.from(within.querySelectorAll(what));
  document.documentElement.classList.add('js');

  // -- Ladders ---------------------------------------------------------------
  //
  // With scripts on, the browser keeps what is in a <noscript> as text. It becomes a
  // drawing when its test is opened, so that the page opens at once however many there are.

  function draw(test) {
    const kept = test.querySelector('.ladders > noscript');
    if (!kept) return;
    const box = kept.parentNode;
    box.innerHTML = kept.textContent;
    for (const svg of all('.ladder', box)) {
      svg.style.setProperty('--width', `${svg.getAttribute('width')}px`);
    }
    for (const list of all('.rows', box)) {
      list.setAttribute('role', 'listbox');
      rowsOf(list).forEach((row, place) => {
        row.setAttribute('role', 'option');
        row.setAttribute('aria-selected', 'false');
        row.setAttribute('tabindex', place ? '-1' : '0');
      });
    }
  }

  /* A row's part that has its name and the focus; what is drawn stands beside it. */
  const rowsOf = (list) => all('.hit', list);

  /* Gives the keyboard's place in its list to ROW. */
  function focus(row) {
    for (const other of all('.hit[tabindex="0"]', row.closest('.rows'))) {
      other.setAttribute('tabindex', '-1');
    }
    row.setAttribute('tabindex', '0');
    row.focus();
  }

  const steps = {
    ArrowDown: (at) => at + 1, ArrowRight: (at) => at + 1,
    ArrowUp: (at) => at - 1, ArrowLeft: (at) => at - 1,
    Home: () => 0, End: (at, count) => count - 1,
  };

  function onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === 'Escape') {
      const panel = all('.panel').find((other) => !other.hidden);
      if (panel) close(panel);
      return;
    }
    const row = event.target;
    if (!row.matches('.hit')) return;
    if (event.key === 'Enter' || event.key === ' ') {
      tell(row);
    } else if (event.key in steps) {
      const rows = rowsOf(row.closest('.rows'));
      const next = rows[steps[event.key](rows.indexOf(row), rows.length)];
      if (!next) return event.preventDefault();
      const panel = panelOf(row);
      focus(next);
      if (panel && !panel.hidden) tell(next);
    } else {
      return;
    }
    event.preventDefault();
  }

  // -- What a row tells ------------------------------------------------------

  const panelOf = (row) => row.closest('.evidence').querySelector('.panel');

  function element(name, text) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function newPanel(row) {
    const panel = element('section');
    panel.className = 'panel';
    panel.setAttribute('aria-label', 'Details of the row');
    row.closest('.evidence').append(panel);
    return panel;
  }

  /* Shows what there is of ROW, under the ladders of its test. */
  function tell(row) {
    for (const other of all('.panel')) if (other !== panelOf(row)) close(other, false);
    const panel = panelOf(row) || newPanel(row);
    const facts = element('div');
    facts.setAttribute('aria-live', 'polite');
    facts.append(element('h4', row.getAttribute('aria-label')), factsOf(row));
    const button = element('button', 'Close');
    button.type = 'button';
    button.addEventListener('click', () => close(panel));
    panel.replaceChildren(facts, ...payloadOf(row), button);
    panel.hidden = false;
    panel.scrollTop = 0;
    deselect(panel);
    row.setAttribute('aria-selected', 'true');
    uncover(row, panel);
  }

  function deselect(panel) {
    for (const row of all('.hit[aria-selected="true"]', panel.parentNode)) {
      row.setAttribute('aria-selected', 'false');
    }
  }

  function close(panel, back = true) {
    const row = panel.parentNode.querySelector('.hit[aria-selected="true"]');
    panel.hidden = true;
    deselect(panel);
    if (row && back) focus(row);
  }

  /* The panel stays in sight; it must not hide ROW. */
  function uncover(row, panel) {
    const hidden = row.getBoundingClientRect().bottom + 8 - panel.getBoundingClientRect().top;
    if (hidden > 0 && panel.getBoundingClientRect().bottom >= innerHeight - 2) {
      scrollBy(0, hidden);
    }
  }

  function factsOf(row) {
    const list = element('dl');
    for (const line of (row.dataset.d || '').split('\n')) {
      const [term, text] = line.split('\t');
      if (term) list.append(element('dt', term), element('dd', text));
    }
    for (const [term, text] of timesOf(row)) list.append(element('dt', term), element('dd', text));
    const text = textOf(bytesOf(row));
    if (text) list.append(element('dt', 'As text'), element('dd', text));
    return list;
  }

  /* Its time since the first packet, and of day, to the nanosecond. */
  function timesOf(row) {
    if (!row.dataset.t) return [];
    const [time, gap] = row.dataset.t.split(' ').map(BigInt);
    const whole = 10n ** 9n;
    const seconds = (ns) => `${ns / whole}.${String(ns % whole).padStart(9, '0')}`;
    const moment = BigInt(row.closest('.rows').dataset.start) + time;
    const day = new Date(Number(moment / 1000000n));
    const since = time < 0n ? `${seconds(-time)} s before the first packet` :
      `${seconds(time)} s after the first packet`;
    const clock = isNaN(day) ? `${seconds(moment)} s since 1970` :
      `${day.toISOString().replace('T', ' ').slice(0, -5)}.${seconds(moment).slice(-9)} UTC`;
    return [['Time', gap === undefined ? since : `${since}, ${seconds(gap)} s after the one before`],
      ['Clock', clock]];
  }

  const bytesOf = (row) => Uint8Array.from(atob(row.dataset.b || ''), (c) => c.charCodeAt(0));

  /* BYTES as UTF-8, if they are; what has no shape, or would turn the text, as an escape. */
  function textOf(bytes) {
    try {
      const text = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
      return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => c === '\n' ? '\\n\n' :
        `\\u{${c.codePointAt(0).toString(16)}}`).replace(/\n$/, '');
    } catch (error) {
      return '';
    }
  }

  function payloadOf(row) {
    const bytes = bytesOf(row);
    if (!bytes.length) return [];
    const lines = [];
    for (let at = 0; at < bytes.length; at += 16) {
      const part = Array.from(bytes.slice(at, at + 16));
      const hex = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
      const text = part.map((b) => b > 31 && b < 127 ? String.fromCharCode(b) : '.').join('');
      lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(48)} ${text}`);
    }
    const shown = element('pre', lines.join('\n'));
    shown.tabIndex = 0;
    shown.setAttribute('role', 'group');
    shown.setAttribute('aria-label', 'Payload in hexadecimal');
    return [shown];
  }

  // -- Which tests -----------------------------------------------------------

  const form = document.querySelector('.filter');
  const tests = all('.test');
  const words = new Map();

  function wordsOf(test) {
    if (!words.has(test)) {
      const told = all(':scope > summary, :scope .told', test);
      words.set(test, told.map((part) => part.textContent).join(' ').toLowerCase());
    }
    return words.get(test);
  }

  function wanted(test, by) {
    const {lab, step, status} = test.dataset;
    return (!by.status || status === by.status) && (!by.lab || lab === by.lab) &&
      (!by.step || `${lab} ${step}` === by.step) && (!by.text || wordsOf(test).includes(by.text));
  }

  function filter() {
    const by = Object.fromEntries(new FormData(form));
    by.text = by.text.trim().toLowerCase();
    const some = Object.values(by).some(Boolean);
    let count = 0;
    for (const test of tests) {
      test.hidden = !wanted(test, by);
      count += !test.hidden;
    }
    for (const line of all('.elsewhere')) {
      line.hidden = document.getElementById(line.dataset.of).hidden;
    }
    for (const group of all('.group, .step, .unjudged')) {
      const left = all('.test, .elsewhere', group).some((entry) => !entry.hidden);
      group.hidden = !left;
      if (group.matches('details')) openFor(group, some);
    }
    form.querySelector('output').textContent = some ? `${count} of ${tests.length} tests` : '';
  }

  /* Steps, and what was not judged, are open while a filter is set, and then as they were. */
  function openFor(step, some) {
    if (some && !step.open) {
      step.open = true;
      step.dataset.opened = '';
    } else if (!some && 'opened' in step.dataset) {
      step.open = false;
      delete step.dataset.opened;
    }
  }

  // -- Going to a test, a step or a packet -----------------------------------

  function reveal(hash) {
    const name = decodeURIComponent(hash.slice(1));
    const test = document.getElementById(name.replace(/p\d+$/, ''));
    if (!test || !test.matches('details')) return;
    for (let above = test; above; above = above.parentElement) {
      if (above.matches('details')) above.open = true;
    }
    draw(test);
    const target = document.getElementById(name);
    if (!target || target === test) return;
    target.closest('.flow').open = true;
    focus(target);
    target.scrollIntoView({block: 'center'});
  }

  // -- Printing --------------------------------------------------------------

  let opened = [];

  function beforePrint() {
    const failed = all('.test:not(.passed)');
    opened = failed.filter((test) => !test.open);
    for (const test of failed) {
      test.open = true;
      draw(test);
    }
  }

  function afterPrint() {
    for (const test of opened) test.open = false;
    opened = [];
  }

  document.addEventListener('toggle', (event) => {
    if (event.target.matches('.test[open]')) draw(event.target);
  }, true);
  document.addEventListener('keydown', onKey);
  document.addEventListener('click', (event) => {
    const row = event.target.closest('.row');
    const link = event.target.closest('a[href^="#"]');
    if (row) {
      focus(row.querySelector('.hit'));
      tell(row.querySelector('.hit'));
    } else if (link) {
      setTimeout(reveal, 0, link.hash);
    }
  });
  addEventListener('hashchange', () => reveal(location.hash));
  addEventListener('beforeprint', beforePrint);
  addEventListener('afterprint', afterPrint);
  form.addEventListener('input', filter);
  form.addEventListener('submit', (event) => event.preventDefault());
  form.hidden = false;
  filter();
  all('.test[open]').forEach(draw);
  if (location.hash) reveal(location.hash);
})();
