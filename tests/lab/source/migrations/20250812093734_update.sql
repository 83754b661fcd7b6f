@0.3+ -- table: files
