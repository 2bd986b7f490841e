import '../lib/status-style.js';
