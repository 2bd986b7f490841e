import '../lib/status.css';
